#!/bin/sh
# weft-bench's command line: what it prints, writes and exits with. Not how fast.
set -u
bench=$builddir/weft-bench
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
count=0

# check NAME WANTED-STATUS PATTERN ARGUMENT...: runs weft-bench and looks for the
# pattern in what it prints.
check() {
	name=$1 wanted=$2 pattern=$3
	shift 3
	count=$((count + 1))
	"$bench" "$@" >"$work/out" 2>&1
	status=$?
	if [ "$status" -eq "$wanted" ] && grep -q -e "$pattern" "$work/out"; then
		echo "ok $count - $name"
	else
		echo "not ok $count - $name"
		echo "# status $status, wanted $wanted; printed:"
		sed 's/^/# /' "$work/out"
	fi
}

check "help names the commands" 0 "^  crypto " --help
check "a command's help names its options" 0 "--repeat N" crypto --help
check "the version is printed" 0 "^weft-bench [0-9]" --version
check "no command is wrong usage" 2 "^usage: "
check "an unknown command is wrong usage" 2 "no command 'nothing'" nothing
check "an unknown option is wrong usage" 2 "unrecognized option" crypto --nothing
check "an argument too many is wrong usage" 2 "unexpected argument 'more'" crypto more
check "a number of repetitions is checked" 2 "from 1 to 101" crypto --repeat 0
check "a duration is checked" 2 "from 1 to 60000" crypto --time 1x
check "crypto measures and writes JSON" 0 "recover an address" \
	crypto --repeat 1 --time 1 --json "$work/result.json"
export WEFT_BENCH_ACCOUNTS=2000 TMPDIR="$work"
check "exec measures blocks of two sizes and kinds" 0 "a block of 10000 token transfers" exec --repeat 1 --time 1
check "state measures beside raw LevelDB" 0 "speed against raw LevelDB" state --repeat 3
WEFT_BENCH_ACCOUNTS=7
check "state's number of accounts is checked" 1 "from 100 to" state --repeat 1
check "crypto says that the JSON can't be written" 1 "can't write" \
	crypto --repeat 1 --time 1 --json "$work/missing/result.json"

count=$((count + 1))
if grep -q '^{"command":"crypto","machine":".*"results":\[{"name":"recover an address","unit":"/s","median":[0-9]' \
	"$work/result.json"; then
	echo "ok $count - the JSON has machine and results"
else
	echo "not ok $count - the JSON has machine and results"
	sed 's/^/# /' "$work/result.json"
fi
echo "1..$count"
