#!/bin/sh
# weft's command line without a node: usage, keys, exit codes. With one: test/e2e.
set -u
weft=$builddir/weft
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
keys=$work/keys
unset WEFT_RPC WEFT_PASSWORD
count=0

# check NAME WANTED-STATUS PATTERN ARGUMENT...: runs weft and looks for the pattern
# in what it prints.
check() {
	name=$1 wanted=$2 pattern=$3
	shift 3
	count=$((count + 1))
	"$weft" "$@" >"$work/out" 2>&1 </dev/null
	status=$?
	if [ "$status" -eq "$wanted" ] && grep -q -e "$pattern" "$work/out"; then
		echo "ok $count - $name"
	else
		echo "not ok $count - $name"
		echo "# status $status, wanted $wanted; printed:"
		sed 's/^/# /' "$work/out"
	fi
}

dev=0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266
second=0x70997970C51812dc3A010C7d01b50e0d17dc79C8
echo 'test test test test test test test test test test test junk' >"$work/phrase"
echo 0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d >"$work/key"
echo 'a password' >"$work/password"
echo 'another' >"$work/wrong"

check "help names the commands" 0 "^  account import " --help
check "the version is printed" 0 "^weft [0-9]" --version
check "no command is wrong usage" 2 "^usage: "
check "an unknown command is wrong usage" 2 'no command "nothing"' nothing
check "account alone is wrong usage" 2 "account new" account
for command in "account new" "account list" "account import" send balance block tx status validators vote rpc \
	deploy call logs calldata "abi encode" "abi decode" sig; do
	# shellcheck disable=SC2086 # two words
	check "$command has help" 0 "^usage: weft $command" $command --help
done
check "an unknown option is wrong usage" 2 "no option --nothing" balance --nothing
check "a word too many is wrong usage" 2 "one word too many" status now
check "a missing word is wrong usage" 2 "HASH is missing" tx
check "a bad URL is wrong usage" 2 "not a URL" status --rpc localhost
check "https is refused with a reason" 2 "https is not supported" status --rpc https://localhost

check "an empty keystore is no error" 0 "weft account new" account list --keystore "$keys"
check "a phrase is imported" 0 "$dev" account import --mnemonic-file "$work/phrase" \
	--keystore "$keys" --password-file "$work/password" --lightkdf
check "a key is imported" 0 "$second" account import --key-file "$work/key" \
	--keystore "$keys" --password-file "$work/password" --lightkdf --json
check "the same key is refused" 3 "already" account import --key-file "$work/key" \
	--keystore "$keys" --password-file "$work/password" --lightkdf
check "a path chooses the phrase's key" 3 "already" account import --mnemonic-file "$work/phrase" \
	--path "m/44'/60'/0'/0/1" --keystore "$keys" --password-file "$work/password" --lightkdf
check "a phrase is no key" 3 "no key" account import --key-file "$work/phrase" \
	--keystore "$keys" --password-file "$work/password" --lightkdf
check "a key is no phrase" 3 "." account import --mnemonic-file "$work/key" \
	--keystore "$keys" --password-file "$work/password" --lightkdf
check "a missing file is named" 1 "missing" account import --key-file "$work/missing" \
	--keystore "$keys" --password-file "$work/password"
check "import needs a source" 2 "give --key-file" account import --keystore "$keys"
WEFT_PASSWORD=secret check "a key is made" 0 "^address  *0x" account new --keystore "$keys" --lightkdf
check "accounts are listed" 0 "$second" account list --keystore "$keys"
check "accounts are listed as JSON" 0 "{\"accounts\":\\[.*\"$dev\"" account list --keystore "$keys" --json
check "a datadir has a keystore" 0 "no account in $work/data/keystore" account list --datadir "$work/data"

# The ABI by hand, without a node.
check "abi alone is wrong usage" 2 "abi encode" abi
check "a selector is given" 0 "^selector *0xa9059cbb$" sig "transfer(address,uint256)"
check "a topic is given" 0 "^topic *0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef$" \
	sig "event Transfer(address indexed from, address indexed to, uint256 value)"
check "a selector is given as JSON" 0 '{"signature":"f(uint256)","selector":"0xb3de648b","topic":"0x' sig "f(uint)" --json
check "a bad signature is refused" 3 'there is no type "uint7"' sig "f(uint7)"
one=0000000000000000000000000000000000000000000000000000000000000001
check "call data is encoded" 0 "^0xb3de648b$one$" calldata "f(uint256)" 1
check "call data is encoded as JSON" 0 "{\"data\":\"0xb3de648b$one\"}" calldata "f(uint256)" 0x01 --json
check "arguments are encoded" 0 "^0x$one$" abi encode "constructor(bool)" true
check "arguments are counted" 2 "it takes 1 argument, (uint256), not 2" calldata "f(uint256)" 1 2
check "a bad argument is named" 3 'argument 1 (orders\[0\].price, uint8): 256 does not fit' \
	calldata "f((uint8 price)[] orders)" "[(256)]"
check "behind -- all are words" 0 "^0x.*2d2d78" calldata "f(string)" -- --x
check "a name needs an ABI" 2 "give --abi FILE" calldata transfer
check "what is returned is decoded" 0 "^1$" abi decode "f()(uint256)" 0x$one
check "the selector is taken off" 0 "^1$" abi decode "f(uint256)" 0xb3de648b$one
check "input is decoded, if asked" 0 "^true$" abi decode "f(bool)(uint256)" 0x$one --input
check "values are shown as JSON" 0 '{"values":\[{"name":"a","type":"uint256","value":"1"}\]}' \
	abi decode "f(uint256 a)" 0x$one --json
check "malformed data is refused" 3 "ends before" abi decode "f()(uint256,bool)" 0x$one
check "what is no data is refused" 3 "no data" abi decode "f()(uint256)" 0x1
echo '{"abi":[{"type":"function","name":"f","inputs":[{"name":"a","type":"uint256"}],"outputs":[]},
	{"type":"function","name":"g","inputs":[],"outputs":[{"name":"b","type":"bool"}]},
	{"type":"constructor","inputs":[{"name":"n","type":"uint8"}],"stateMutability":"nonpayable"}],
	"bytecode":"0x6001"}' >"$work/artifact.json"
check "a name is looked up" 0 "^0xb3de648b$one$" calldata --abi "$work/artifact.json" f 1
check "what is returned is looked up" 0 "^true$" abi decode --abi "$work/artifact.json" g 0x$one
check "a name that is not there is explained" 3 "there are: f(uint256), g()" calldata --abi "$work/artifact.json" h
check "no ABI is refused" 3 "not JSON" calldata --abi "$work/phrase" f
check "no file is named" 1 "missing" calldata --abi "$work/missing" f
check "a lone --contract is wrong usage" 2 "give --abi FILE" calldata --contract A "f()"

# Nobody listens on port 1.
nobody="--rpc http://127.0.0.1:1"
# shellcheck disable=SC2086 # an option and its value
{
	check "an unreachable node is explained" 1 'start a node with "weftd --dev"' status $nobody
	check "balance says so, too" 1 "Connection refused" balance $dev $nobody
	check "a mistyped address is found" 3 "checksum" balance "${dev%6}7" $nobody
	check "an address is needed" 3 "no address" balance 0x12 $nobody
	check "a hash is needed" 3 "no hash" tx 0x12 $nobody
	check "a block is a number, a hash or a name" 3 "no block number" block newest $nobody
	check "send needs its three options" 2 "give --from, --to and --value" send --from $dev $nobody
	check "send checks the amount" 3 "no amount" send --from $dev --to $second --value much $nobody
	check "send checks the type" 2 "from 0 to 2" send --type 3 $nobody
	check "send knows which fee goes with which type" 2 "goes with --type 0 or 1" \
		send --from $dev --to $second --value 1 --gas-price 1gwei $nobody
	check "send checks the data" 3 "no data" \
		send --from $dev --to $second --value 1 --data 0x123 $nobody
	check "send takes a signature or data" 2 "not both" \
		send $second "f()" --data 0x12 --from $dev $nobody
	check "send checks the arguments" 3 "argument 1 (uint8)" send $second "f(uint8)" 256 --from $dev $nobody
	check "send knows what takes no coins" 2 "takes no coins" \
		send $second "f() view" --value 1 --from $dev $nobody
	check "call needs an address" 3 "no address" call 0x12 "f()" $nobody
	check "call needs a signature" 2 "SIG is missing" call $second $nobody
	check "call takes a signature or data" 2 "not both" call $second "f()" --data 0x12 $nobody
	check "call checks the block" 3 "no block number" call $second "f()" --block newest $nobody
	check "call says that nobody answers" 1 "Connection refused" call $second "f()(uint256)" $nobody
	check "deploy needs who pays" 2 "give --from" deploy 0x6001 $nobody
	check "deploy needs the arguments' types" 2 "give --constructor" deploy 0x6001 5 --from $dev $nobody
	check "deploy checks the arguments" 3 "constructor: argument 1 (n, uint8): 256" \
		deploy "$work/artifact.json" 256 --from $dev $nobody
	check "deploy counts the arguments" 2 "it takes 1 argument" deploy "$work/artifact.json" --from $dev $nobody
	check "deploy knows what takes no coins" 2 "takes no coins" \
		deploy "$work/artifact.json" 1 --value 1 --from $dev $nobody
	check "deploy checks the code" 3 "no data" deploy 0x600 --from $dev $nobody
	check "deploy checks the salt" 3 "salt is 0x" deploy 0x6001 --salt x --from $dev $nobody
	check "deploy takes a constructor or an ABI" 2 "not both" \
		deploy 0x6001 1 --constructor "constructor(uint8)" --abi "$work/artifact.json" --from $dev $nobody
	check "deploy says that nobody answers" 1 "Connection refused" deploy 0x6001 --from $dev $nobody
	check "logs checks addresses" 3 "no address" logs --address 0x12 $nobody
	check "logs checks topics" 3 "no topic" logs --topic 0x12 $nobody
	check "logs takes events or topics" 2 "not both" logs --event "E()" --topic any $nobody
	check "logs takes values of one event" 2 "go with one --event" logs 5 $nobody
	check "logs checks values" 3 "indexed parameter 1 (a)" logs --event "E(uint8 indexed a)" 256 $nobody
	check "logs counts values" 2 "is too much" logs --event "E(uint8 indexed a, uint8)" any 1 $nobody
	check "logs says that nobody answers" 1 "Connection refused" logs $nobody
	check "vote needs who votes" 2 "give --from" vote $second 1 $nobody
	check "vote needs a weight" 2 "ADDRESS WEIGHT is missing" vote $second $nobody
	check "vote checks the address" 3 "checksum" vote "${dev%6}7" 1 --from $dev $nobody
	check "vote checks the weight" 3 "at most 1099511627776" vote $second 1099511627777 --from $dev $nobody
	check "validators are of a block" 3 "no block number" validators newest $nobody
	check "send says that nobody answers" 1 "Connection refused" \
		send --from $dev --to $second --value 1 --keystore "$keys" $nobody
}
WEFT_RPC=http://127.0.0.1:2 check "the node may come from the environment" 1 "port 2:" status

count=$((count + 1))
if [ "$(stat -c %a "$keys")" = 700 ] && [ -z "$(find "$keys" -type f ! -perm 600)" ]; then
	echo "ok $count - keys are readable for their owner alone"
else
	echo "not ok $count - keys are readable for their owner alone"
fi
echo "1..$count"
