#!/bin/sh
# Crashes crash_writer at numbered calls and at random moments, lets a power loss
# take what was not synced, and looks for what was acknowledged. TAP.
#
#   WEFT_CRASH_STEP=n    every n-th numbered call (default 1)
#   WEFT_CRASH_RUNS=n    crashes at random moments (default 200)
set -u
build=${builddir:-.}
shim=$build/test/shim/libweftshim.so
rollback=$build/test/shim/shim-rollback
writer=$build/test/store/crash_writer
step=${WEFT_CRASH_STEP:-1}
runs=${WEFT_CRASH_RUNS:-200}

if grep -q __asan_init "$writer"; then
	echo "1..0 # SKIP sanitizers and a preloaded library do not go together"
	exit 0
fi

# What survives is the shim's to say, so memory serves as a disk, and faster.
[ -n "${TMPDIR:-}" ] || { [ -w /dev/shm ] && TMPDIR=/dev/shm; }
top=$(mktemp -d "${TMPDIR:-/tmp}/weft-crash-XXXXXX") || exit 99
trap 'rm -rf "$top"' EXIT
watched=$top/watched
data=$watched/data
journal=$top/journal
acks=$top/acks
said=$top/said

fresh() {
	rm -rf "$watched" "$journal"
	mkdir "$watched" "$journal"
	: >"$acks"
}

# under_shim SEED HEIGHT [VARIABLE=VALUE…]: a run that may end early.
under_shim() {
	seed=$1 height=$2
	shift 2
	env "$@" WEFT_SHIM_DIR="$watched" WEFT_SHIM_JOURNAL="$journal" LD_PRELOAD="$shim" \
		"$writer" run "$data" "$seed" "$height" >>"$acks" 2>"$said"
}

acked() {
	awk '$1 == "ack" && $2 > n { n = $2 } END { print n + 0 }' "$acks"
}

# power_loss MODE…: what was not synced goes.
power_loss() {
	"$rollback" "$journal" "$watched" "$@" >"$top/dropped" 2>>"$said"
}

# promise_kept SEED: what was acknowledged is there. A directory that init did not
# finish says so and starts over, which is right as long as nothing was acknowledged.
promise_kept() {
	if [ ! -e "$data/VERSION" ] && [ "$(acked)" -eq 0 ]; then
		rm -rf "$data"
		return 0
	fi
	"$writer" check "$data" "$1" "$(acked)" >"$top/woke" 2>>"$said"
}

number=0
result() { # result STATUS TEXT
	number=$((number + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $number - $2"
	else
		echo "not ok $number - $2"
		sed 's/^/# /' "$said"
	fi
}

# --- every step-th call -------------------------------------------------------

sweep() { # sweep MODE
	at=1 points=0 bad=0 status=77
	while [ "$status" -eq 77 ] && [ "$bad" -eq 0 ]; do
		fresh
		under_shim 5 13 WEFT_SHIM_EXIT_AT=$at
		status=$?
		case $status in
		0 | 77) ;;
		*) bad=1 ;;
		esac
		if [ "$bad" -eq 0 ]; then
			case $1 in
			tear | hole) power_loss "$1" $at ;;
			drop) power_loss drop ;;
			esac || bad=1
		fi
		promise_kept 5 || bad=1
		points=$((points + 1))
		[ "$bad" -eq 0 ] || echo "# at call $at"
		at=$((at + step))
	done
	result $bad "$points crashes at numbered calls, then $1: nothing acknowledged is lost"
}
sweep kill
sweep drop
sweep tear
sweep hole

# --- random moments -----------------------------------------------------------

# One chain goes on through all crashes; a new one where it is long enough.
moments() {
	run=0 bad=0 seed=100 lost=0
	fresh
	while [ $run -lt "$runs" ] && [ $bad -eq 0 ]; do
		run=$((run + 1))
		delay=$(awk -v r=$run 'BEGIN { srand(r); printf "0.%03d", 5 + int(rand() * 90) }')
		WEFT_SHIM_DIR="$watched" WEFT_SHIM_JOURNAL="$journal" LD_PRELOAD="$shim" \
			"$writer" run "$data" $seed 300 >>"$acks" 2>"$said" &
		pid=$!
		sleep "$delay"
		kill -KILL $pid
		wait $pid
		status=$?
		case $status in
		0 | 137) ;;
		*) bad=1 ;;
		esac
		if [ -e "$journal/journal" ]; then
			case $((run % 4)) in
			0) power_loss tear $run ;;
			1) power_loss drop ;;
			2) power_loss hole $run ;;
			3) rm -rf "$journal" && mkdir "$journal" ;; # the process died, the machine did not
			esac || bad=1
		fi
		promise_kept $seed || bad=1
		[ $bad -eq 0 ] || echo "# run $run, seed $seed"
		if [ "$(acked)" -ge 250 ]; then
			seed=$((seed + 1))
			fresh
		fi
	done
	result $bad "$run times SIGKILL at random moments: nothing acknowledged is lost"
}
moments 2>/dev/null

# --- LevelDB's log files --------------------------------------------------------

# More than one memtable, so that kv_sync has an older log file and a new name in
# the directory to sync.
fresh
mkdir "$watched/db" # its own name is store_create()'s to sync
WEFT_SHIM_DIR="$watched" WEFT_SHIM_JOURNAL="$journal" LD_PRELOAD="$shim" \
	"$writer" fill "$watched/db" 0 144 >>"$acks" 2>"$said"
bad=$?
power_loss drop || bad=1
"$writer" count "$watched/db" 0 144 2>>"$said" || bad=1
result $bad "what kv_sync made durable is there, over two log files of LevelDB"

# --- with fsync made a no-op the same test must fail ---------------------------

# A chain that was made and closed well, then goes on without syncs.
fresh
under_shim 5 3
under_shim 5 13 WEFT_SHIM_NOSYNC=1
power_loss drop
if promise_kept 5; then
	result 1 "a loss is found when fsync does nothing"
else
	result 0 "a loss is found when fsync does nothing"
fi

# --- a full disk, a broken one -------------------------------------------------

full() { # full FAILURE PATTERN
	bad=0 points=0
	for after in 3 10 20 30 45 60 75 90 110 130 150; do
		fresh
		under_shim 5 13 WEFT_SHIM_FAIL="$1:after=$after"
		status=$?
		[ $status -eq 0 ] && continue
		points=$((points + 1))
		# Said, and ended: by itself (3) or by fatal() (134).
		case $status in
		3 | 134) ;;
		*) bad=1 ;;
		esac
		grep -q "$2" "$said" || bad=1
		power_loss drop || bad=1
		promise_kept 5 || bad=1
		[ $bad -eq 0 ] || { echo "# after $after, status $status"; break; }
	done
	[ $points -gt 3 ] || bad=1
	result $bad "$1 at $points points: said clearly, nothing acknowledged is lost"
}
full write:ENOSPC "make room\|No space"
full fsync:EIO "check the disk\|repair the disk\|Input/output error"

echo "1..$number"
