#!/bin/sh
# GeneralStateTests of github.com/ethereum/tests at Cancun, by weft-statetest; and that it
# notices what is wrong.
set -u
data=$WEFT_CONFORMANCE/ethereum-tests/GeneralStateTests
statetest=$builddir/weft-statetest
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
count=0

# result STATUS NAME
result() {
	count=$((count + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $count - $2"
	else
		echo "not ok $count - $2"
		tail -n 30 "$work/out" | sed 's/^/# /'
	fi
}

if [ ! -d "$data" ]; then
	if [ "${CI-}" = true ]; then
		echo "not ok 1 - ethereum/tests v14.1 must be in \$WEFT_CONFORMANCE"
	else
		echo "ok 1 - state tests # SKIP 14315 skipped: \$WEFT_CONFORMANCE/ethereum-tests lacks them (ethereum/tests v14.1)"
	fi
	echo 1..1
	exit 0
fi

"$statetest" "$data" >"$work/out" 2>&1
result $? "every case passes or is named: $(tail -n 1 "$work/out")"
tail -n 1 "$work/out" | grep -q '^14255 passed, 0 failed, 60 named$'
result $? "all 14315 cases are there, 60 of them call the KZG precompile"

case=$data/stExample/yulExample.json
"$statetest" "$case" >"$work/out" 2>&1
result $? "one file passes: $(tail -n 1 "$work/out")"
sed 's/\("hash" *: *"0x\)..../\1face/' "$case" >"$work/altered.json"
! "$statetest" "$work/altered.json" >"$work/out" 2>&1
result $? "an altered root fails"
grep -q 'state root is 0x' "$work/out"
result $? "and the first difference is told"
"$statetest" --trace "$case" >"$work/out" 2>&1
grep -q '"opName":"SSTORE"' "$work/out"
result $? "a trace names the instructions"
"$statetest" --post "$work/altered.json" >"$work/out" 2>&1 &&
	grep -q '^{.*"success":true,"gasUsed":"0x[0-9a-f]*","output":"0x.*"accounts":{"0x' "$work/out"
result $? "with --post nothing is compared, and it is said what became of it"
! "$statetest" "$work/missing" >"$work/out" 2>&1
result $? "a missing path fails"
"$statetest" --fork Frontier "$case" >"$work/out" 2>&1
[ $? -eq 2 ]
result $? "an unknown fork is wrong usage"
echo "1..$count"
