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

check "help names the commands" 0 "^  crypto  *signatures" --help
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
check "precompiles measures each" 0 "^  P-256 verification .* ns" precompiles --repeat 1 --time 1
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

# --- load ---

check "load's help names the kinds" 0 "--kind transfer|erc20|both" load --help
check "an unknown kind is wrong usage" 2 "not \"nft\"" load --kind nft
check "both kinds can't be compared with a second node" 2 "exclude each other" load --kind both --compare http://127.0.0.1:1
check "bytecode is for a token" 2 "are for --kind erc20" load --bytecode "$work/none"
check "arguments are for bytecode" 2 "is for a --bytecode" load --kind erc20 --constructor 00
check "a missing file is named" 1 "missing" load --kind erc20 --bytecode "$work/missing"
echo '{"abi":[]}' >"$work/artifact"
check "an artifact without code is refused" 3 "holds no bytecode" load --kind erc20 --bytecode "$work/artifact"
echo 0x6 >"$work/artifact"
check "half a byte is refused" 3 "holds no bytecode" load --kind erc20 --bytecode "$work/artifact"
echo 00 >"$work/artifact"
check "arguments are hex digits" 3 "takes hex digits" load --kind erc20 --bytecode "$work/artifact" --constructor 0x0g
check "a node that isn't there is said" 1 "port 1:" load --kind erc20 --url http://127.0.0.1:1 --count 10

"$builddir/weftd" --dev --http-port 0 >"$work/weftd.log" 2>&1 &
weftd=$!
trap 'kill "$weftd" 2>/dev/null; rm -rf "$work"' EXIT
port='' tries=0
while [ -z "$port" ] && [ "$tries" -lt 300 ]; do
	sleep 0.1
	port=$(sed -n 's/.*http:\/\/127\.0\.0\.1:\([0-9]*\).*/\1/p' "$work/weftd.log" | head -n 1)
	tries=$((tries + 1))
done
few="--url http://127.0.0.1:$port --seconds 0 --count 60 --senders 7 --batch 5 --in-flight 20"
# shellcheck disable=SC2086 # options without quoted words
{
	check "plain transfers are mined" 0 "^node: 60 transfers of type 0 by 7 senders mined" load $few
	check "ERC-20 transfers are mined" 0 "^node: 60 ERC-20 transfers of type 2 by 7 senders" load $few --kind erc20 --type 2
	check "… and their balances are right" 0 "^node: the balances of all senders are right" load $few --kind erc20
	check "both kinds in turns give a ratio" 0 "^ratio erc20 / transfer: [0-9]" \
		load $few --kind both --slices 2 --json "$work/load.json"
	check "gas that a transfer needs more of is found out" 1 "did not get its tokens" load $few --kind erc20 --token-gas 30000
	echo 0x00 >"$work/artifact"
	check "a token without code is found out" 1 "constructor fails" load $few --kind erc20 --bytecode "$work/artifact"
	# code that says yes to everything and keeps no balances: 1 from memory
	echo '{"bytecode":{"object":"0x600a600c600039600a6000f3600160005260206000f3"}}' >"$work/artifact"
	check "a token that moves nothing is found out" 1 "did not get its tokens" load $few --kind erc20 --bytecode "$work/artifact"
	# one that adds to balances and takes from none, and reverts when asked for less than 10
	echo 602b8060095f395ff360243611601157600435545f5260205ff35b600a602435106027576004358054602435019055005b5f5ffd >"$work/artifact"
	check "transfers that failed are found out" 1 "transfers failed" load $few --kind erc20 --bytecode "$work/artifact"
}
kill "$weftd"
wait "$weftd"
count=$((count + 1))
if grep -q '"name":"erc20","kind":"erc20","mined":60,.*"name":"transfer","kind":"transfer","mined":60,' "$work/load.json"; then
	echo "ok $count - the JSON of both kinds has both"
else
	echo "not ok $count - the JSON of both kinds has both"
	sed 's/^/# /' "$work/load.json"
fi
echo "1..$count"
