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
for command in "account new" "account list" "account import" send balance block tx status validators vote rpc; do
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
