#!/bin/sh
# Plants one bug at a time into a copy of the sources and runs the harness and the
# tests of the rules on it: each must be found. Run by `make check-mutants` in a build directory, speaks TAP.
#
# A row: file | sed expression | what it breaks (reliability: the known bugs
# elsewhere). A row whose expression changes nothing fails: the code has moved.
#
# Not a row: that a proposal is of the highest claim's block. Its prepares are read
# as prepares for its own block in that claim's view, so that those of another
# block can't be verified: the check says early what the signatures say later.
#
#   srcdir, builddir   the trees
#   WEFT_SEEDS         seeds a mutant may survive at most (default 3000)
set -u
: "${srcdir:?}" "${builddir:?}" "${WEFT_SEEDS:=3000}"
export WEFT_SEEDS
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT

rows() {
	cat <<'ROWS'
consensus/view.c | s/\.has_prepared = c->has_best,/.has_prepared = false,/ | IBFT 1: no certificate in view-changes
consensus/propose.c | s/^\tif (p->view > c->view) {/\tif (c->has_best \&\& !hash_equal(\&c->best.block_hash, \&p->block_hash)) return;\n&/ | IBFT 1: a lock outlives its view
consensus/consensus.c | s/c->quorum = .*/c->quorum.n = set->total.n * 2 \/ 3;/ | quorum rounding: down
consensus/consensus.c | s/c->quorum = .*/c->quorum = validator_set_quorum(set); c->quorum.n--;/ | quorum rounding: one less
consensus/consensus.c | s/= c->has_pp = c->is_resumed = c->has_best = false/= c->is_resumed = false/ | two blocks at one height: a commit leaves the height's proposal
consensus/consensus.c | s/c->is_decided = c->is_diverged =/c->is_diverged =/ | two blocks at one height: a commit leaves the decision
consensus/record.c | s/^\tint code = read_content(c, &r, record, &why);/\tint code = OK; (void)read_content; (void)check_message; (void)check_votes; (void)record;/ | state lost at restart
consensus/vote.c | s/own->number > c->persisted_number ||/false ||/ | sent before it is on disk
consensus/vote.c | s/if (!own->what.is_set || own->number > c->persisted_number)/if (!own->what.is_set)/;s/m->kind != MESSAGE_COMMIT)/true)/ | own commit counts before it is on disk
consensus/record.c | s/^\tc->has_best = true;/\tc->has_best = false;/ | committed by f+1, then the view changed after recovery: certificate lost
consensus/record.c | s/^\t\tc->view = what.view;/\t\tc->view = what.view < 2 ? 0 : what.view - 1;/ | the view asked for is lost at restart
consensus/consensus.h | s/TIMEOUT_SHIFT_MAX 6/TIMEOUT_SHIFT_MAX 16/;s/^#define CONSENSUS_TIMEOUT.*/#define CONSENSUS_TIMEOUT_SHIFT_MAX 16/ | time-outs without a cap
consensus/view.c | s/> c->faulty.n)/> 1000)/ | no jump with f+1
consensus/view.c | s/> c->faulty.n)/> 0)/ | one message of a huge view moves everyone
consensus/buffer.c | s/return view >= first && view - first < CONSENSUS_VIEW_COUNT;/return true;/ | no window of views
consensus/receive.c | s/return c->config.is_block(.*/return true;/;/^\t\t\t\t\t  &m->.*_hash);/d | hash not recomputed from the bytes received
consensus/propose.c | s/^\tif (t->execution != EXECUTION_VALID)$/\tif (t->execution == EXECUTION_RUNNING)/ | prepared before it has executed
consensus/receive.c | s/message_validator(m) != proposer_of(c, message_height(m), message_view(m)))/false)/ | NEW-VIEW without the leader check
consensus/receive.c | s/if (message_check(m, c->config.validators, NULL) != OK)$/if (false)/ | NEW-VIEW without quorum and claims checked
chain/message.c | s/if (validator_set_weight(set, &senders).n < validator_set_quorum(set).n)/if (false)/ | NEW-VIEW without a quorum
chain/message.c | s/if (status == OK && prepares)/if (false)/ | prepares without a quorum
consensus/receive.c | s/^\tsize_t count = message_seals(.*/\tsize_t count = message_seals(m, c->config.chain_id, c->config.validators, seals) ? 1 : 0;/ | proofs inside messages not verified
consensus/receive.c | s/^\treturn c->config.verify(c->config.ctx, message_signature.*/\treturn true;/;/&c->config.validators->members\[message_validator(m)\].address);/d;s/^\t\tif (!c->config.verify(c->config.ctx, &seals.*/\t\tif (false)/ | no signature verified
chain/message.c | s/return DOMAIN_COMMIT;/return DOMAIN_PREPARE;/ | the kind is not signed
consensus/consensus.c | s/^\tc->view = 0;$/\t;/ | stuck in a view-change after catching up
consensus/vote.c | s/!position_is_after(&at, &c->signed_last) ||/false ||/;s/hash_equal(&c->target.hash, hash) ||/false ||/ | the signer forgets what it signed
consensus/view.c | s/^\tc->phase = CONSENSUS_VIEW_CHANGING;$/\t;/;s/^\tc->has_pp = false;$/\t;/ | votes go on below the view asked for
consensus/view.c | s/what->prepared_view > (\*highest)->prepared_view/what->prepared_view < (*highest)->prepared_view/ | not the highest claim proposed
consensus/buffer.c | s/return slot->is_set && slot->view == view ? slot : NULL;/return slot->is_set ? slot : NULL;/ | votes of different views added up
consensus/buffer.c | s/if (s && hash_equal(&s->hash, hash))/if (s)/ | votes for different blocks added up
consensus/receive.c | s/^\t\t\tsay_evidence(c, known, m, s);/\t\t\t;/ | no evidence
consensus/receive.c | s/^\tif (c->behind_ms == 0 || .*/\tif (true)/ | whoever is behind never says so
consensus/propose.c | s/^\tif (t->execution == EXECUTION_INVALID && !t->is_reproposal &&$/\tif (false \&\&/ | the clock counts after a quorum has prepared
consensus/propose.c | s/buf_append_bytes(&t->sealed, sealed);$/&buf_reset(\&c->best_block);/ | the prepared block is lost to the next proposal
consensus/record.c | s/has_prepares && is_whole ? block_besides(c)/false ? block_besides(c)/ | a trimmed log without the prepared block
ROWS
}

cc=${CC:-gcc}
flags="-std=gnu17 -O1 -w -I$work -I$srcdir/src -I$builddir -I$srcdir/test"
libs="$builddir/src/chain/libchain.a $builddir/src/keystore/libkeystore.a $builddir/src/codec/libcodec.a
	$builddir/src/json/libjson.a $builddir/src/crypto/libcrypto.a $builddir/src/base/libbase.a"
for f in world machine plan oracle byzantine tap_consensus; do
	$cc $flags -c "$srcdir/test/consensus/$f.c" -o "$work/$f.o" || exit 99
done
rules=${CRITERION_LIBS:+$work/rules}
if [ -n "$rules" ]; then
	mkdir "$rules" && for f in rig test_rules; do
		$cc $flags -c "$srcdir/test/consensus/$f.c" -o "$rules/$f.o" || exit 99
	done
fi
echo "1..$(rows | wc -l)"
n=0
rows | while IFS='|' read -r line; do
	n=$((n + 1))
	broken=
	file=${line%% | *}
	rest=${line#* | }
	what=${rest##* | }
	edit=${rest% | *}
	rm -rf "$work/consensus" "$work/chain" "$work"/mutant*
	mkdir "$work/consensus" "$work/chain"
	cp "$srcdir"/src/consensus/*.[ch] "$work/consensus/"
	cp "$srcdir/src/chain/message.c" "$work/chain/"
	sed -i "$edit" "$work/$file"
	if cmp -s "$work/$file" "$srcdir/src/$file"; then
		echo "not ok $n - $what # the expression changes nothing"
		continue
	fi
	if ! $cc $flags -o "$work/mutant" "$work"/consensus/*.c "$work/chain/message.c" "$work"/*.o \
		$libs ${MUTANT_LIBS:--lssl -lcrypto -lsecp256k1 -ljansson} 2>"$work/mutant.err"; then
		echo "not ok $n - $what # does not compile: $(head -n 1 "$work/mutant.err")"
		continue
	fi
	# In a shell of its own, whose word on a crash is not of interest.
	sh -c 'timeout 120 "$0" >"$0.out" 2>"$0.err"' "$work/mutant" 2>/dev/null
	status=$?
	if [ -n "$rules" ]; then
		$cc $flags -o "$work/mutant_rules" "$work"/consensus/*.c "$work/chain/message.c" "$rules"/*.o \
			$libs ${MUTANT_LIBS} $CRITERION_LIBS 2>/dev/null &&
			timeout 60 "$work/mutant_rules" --jobs 1 >"$work/mutant_rules.out" 2>&1 || broken=yes
	fi
	if [ $status -ne 0 ] || grep -q '^not ok' "$work/mutant.out"; then
		echo "ok $n - $what: $(grep -h -m 1 -e '^# seed' -e 'not ok' -e 'CHECK\|check' "$work/mutant.out" "$work/mutant.err" | head -n 1 | cut -c 1-100)"
	elif [ "$broken" ]; then
		echo "ok $n - $what: $(grep -h -m 1 'FAIL' "$work/mutant_rules.out" | cut -c 1-100)"
	else
		echo "not ok $n - $what # survives $WEFT_SEEDS seeds"
	fi
done
