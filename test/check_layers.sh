#!/bin/sh
# contrib/check-layers on this tree, and on copies with a breach planted: a check
# that finds nothing must be one that would have found something.
set -u
srcdir=${srcdir:-$(dirname "$0")/..}
check=$srcdir/contrib/check-layers
copy=$(mktemp -d) || exit 99
trap 'rm -rf "$copy"' EXIT
count=0

# result STATUS NAME: one line; the output of the check says why if it failed.
result() {
	count=$((count + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $count - $2"
	else
		echo "not ok $count - $2"
		sed 's/^/# /' "$copy/output"
	fi
}

# found NAME FILE:LINE LINE: planting LINE at the top of src/FILE is noticed there.
found() {
	name=$1 place=$2 line=$3
	file=$copy/src/${place%:*}
	{ echo "$line"; cat "$copy/tree/src/${place%:*}" 2>/dev/null; } >"$file"
	sh "$check" "$copy" >"$copy/output"
	[ $? -eq 1 ] && grep -q "^src/$place: " "$copy/output" &&
		[ "$(wc -l <"$copy/output")" -eq 1 ]
	result $? "$name"
	rm -f "$file"
	[ ! -f "$copy/tree/src/${place%:*}" ] || cp "$copy/tree/src/${place%:*}" "$file"
}

sh "$check" "$srcdir" >"$copy/output"
result $? "this tree keeps to src/LAYERS"

mkdir "$copy/tree"
cp -R "$srcdir/src" "$copy/tree/src" && cp -R "$srcdir/src" "$copy/src"
chmod -R u+w "$copy"
sh "$check" "$copy" >"$copy/output"
result $? "so does a copy of it"

found "an upward include" base/buf.c:1 '#include "chain/tx.h"'
found "an upward include in a header, with blanks" base/buf.h:1 '  #  include   "node/route.h"'
found "an include of a neighbour" codec/rlp.c:1 '#include "json/json.h"'
found "an include of another folder of the rank" store/store.h:1 '#include "rpc/rpc.h"'
found "an outside header in another folder" rpc/planted.c:1 '#include <leveldb/c.h>'
found "an outside header in quotes" exec/planted.h:1 '#include "openssl/evp.h"'
found "an outside header that nobody has named" io/planted.c:1 '#include <zlib.h>'
found "the clock in a pure core" consensus/planted.c:1 '#include <time.h>'
found "entropy beside the files" store/planted.c:1 '#include <sys/random.h>'
found "an include by angle brackets" base/planted.c:1 '#include <chain/tx.h>'
found "an include without its folder" chain/planted.c:1 '#include "tx.h"'
found "a way around by .." base/planted.c:1 '#include "../chain/tx.h"'
found "an include by a macro" base/planted.c:1 '#include HEADER'
found "a folder that nobody has named" planted.c:1 '/* nothing */'

echo "9 base: app" >>"$copy/src/LAYERS"
sh "$check" "$copy" >"$copy/output"
[ $? -eq 1 ] && grep -q "^src/LAYERS:.*twice" "$copy/output"
result $? "a folder that stands twice"
cp "$copy/tree/src/LAYERS" "$copy/src/LAYERS"

sed 's/^1 codec: base/1 codec: base, chain/' "$copy/tree/src/LAYERS" >"$copy/src/LAYERS"
sh "$check" "$copy" >"$copy/output"
[ $? -eq 1 ] && grep -q "^src/LAYERS:.*codec may not name chain" "$copy/output"
result $? "a rule that points up"

echo "1..$count"
