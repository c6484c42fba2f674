#!/bin/sh
# weftd refuses what contradicts itself or cannot work, and says what to do. How it
# runs and ends: test_daemon.c and test/e2e.
set -u
weftd=$builddir/weftd
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
validator=0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266
count=0

# check NAME WANTED-STATUS PATTERN COMMAND...: runs it and looks for the pattern in
# what it prints.
check() {
	name=$1 wanted=$2 pattern=$3
	shift 3
	count=$((count + 1))
	"$@" >"$work/out" 2>&1 </dev/null
	status=$?
	if [ "$status" -eq "$wanted" ] && grep -q -e "$pattern" "$work/out"; then
		echo "ok $count - $name"
	else
		echo "not ok $count - $name"
		echo "# status $status, wanted $wanted; printed:"
		sed 's/^/# /' "$work/out"
	fi
}

with_files() {
	(ulimit -n "$1" && shift && "$@")
}

check "a chain is made" 0 "holds chain 31337" "$weftd" init --datadir "$work/a" --new-validator $validator
cp "$work/a/genesis.json" "$work/genesis.json"
check "a file and flags contradict each other" 2 "leave --chain-id" \
	"$weftd" init --datadir "$work/b" --genesis "$work/genesis.json" --chain-id 7
check "a file and funds, too" 2 "leave --chain-id" \
	"$weftd" init --datadir "$work/b" --genesis "$work/genesis.json" --fund $validator=1
check "an id that no client can hold is refused" 2 "chain-id" \
	"$weftd" init --datadir "$work/b" --new-validator $validator --chain-id 9007199254740992
check "a chain without its genesis file is no empty directory" 3 "genesis.json is missing" sh -c \
	"rm '$work/a/genesis.json'; exec '$weftd' --datadir '$work/a'"
check "nor for --dev" 3 "genesis.json is missing" "$weftd" --dev --datadir "$work/a"
check "connections leave files to the database" 2 "raise ulimit -n" with_files 100 "$weftd" --dev --http-port 0
check "a thousand do not fit" 2 "lower --http-connections" \
	with_files 1000 "$weftd" --dev --http-port 0 --http-connections 1000
echo "1..$count"
