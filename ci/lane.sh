# Sourced by ci/test, ci/demo and the lanes: build folders, and parts that are counted.
#
# A lane is a program of ci/lanes/ that a person can run alone. It sources this file, runs its parts and ends with
# lane_end, so that its last line is `N passed, N failed` and its exit status says the same.
# shellcheck shell=bash
unset WSQUALL WSQ_SERVER WSQUALL_BUILD # a shell's own choice of programs: a lane tests what it builds
lane_passed=0 lane_failed=0
lane_told="" # lines of failed parts that say FAIL: said once more at the end, where a cut log still has them
TOLD_LINES_MAX=40 TOLD_COLUMNS_MAX=400
build_only=()

# build_in FOLDER [MESON OPTION...]: sets the folder up when it is new, and builds everything in it. Says nothing unless
# that fails. CC chooses the compiler of a new folder; build_only: what is built instead of everything.
build_in() {
	local folder=$1 log
	shift
	log=$(mktemp)
	if { [ -f "$folder/build.ninja" ] || meson setup "$folder" "$@"; } >"$log" 2>&1 &&
		ninja -C "$folder" "${build_only[@]}" >>"$log" 2>&1; then
		rm -f "$log"
		return
	fi
	cat "$log"
	rm -f "$log"
	echo "$folder could not be built"
	return 1
}

# unit_tests FOLDER [MESON TEST OPTION...]: runs the unit tests there; the last line is `N passed, N failed`.
unit_tests() {
	local folder=$1 log=$1/meson-logs/testlog.json status=0 said
	shift
	[[ " $* " != *" --wrapper "* ]] || log=$folder/meson-logs/testlog-valgrind.json
	rm -f "$log"
	said=$(meson test -C "$folder" --no-rebuild --print-errorlogs "$@" 2>&1) || status=$?
	[ "$status" = 0 ] || grep -v ' OK ' <<<"$said"
	ci/count-tests "$log"
}

# part TITLE COMMAND...: runs a command and prints one line about it; its output only when it fails, but for lines that
# begin with SKIP. A command whose last line is `N passed, N failed` counts as that, any other as one check. Never fails
# itself: lane_end does. The command is not under `set -e`.
part() {
	local title=$1 log status=0 since=$SECONDS passed=0 failed=0
	shift
	log=$(mktemp)
	"$@" >"$log" 2>&1 </dev/null || status=$?
	if [[ $(tail -n 1 "$log") =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
		passed=${BASH_REMATCH[1]} failed=${BASH_REMATCH[2]}
		# Counts and exit status that contradict each other are a failure, too.
		[ "$status" = 0 ] || [ "$failed" -gt 0 ] || failed=1
	elif [ "$status" = 0 ]; then
		passed=1
	else
		failed=1
	fi
	lane_passed=$((lane_passed + passed)) lane_failed=$((lane_failed + failed))
	if [ "$failed" -gt 0 ]; then
		sed 's/^/  | /' "$log"
		lane_told+=$(sed -n 's/^[ |]*\(.*\bFAIL.*\)/\n\1/p' "$log")
		printf 'FAILED  %-24s %4d s  %d passed, %d failed, exit status %d\n' \
			"$title" $((SECONDS - since)) "$passed" "$failed" "$status"
	else
		printf 'ok      %-24s %4d s  %d passed\n' "$title" $((SECONDS - since)) "$passed"
		grep '^SKIP ' "$log" || true
	fi
	rm -f "$log"
}

# The same for what the rest of the lane is built on: ends the lane when it fails.
must() {
	part "$@"
	[ "$lane_failed" = 0 ] || lane_end
}

# The last line of a lane, and its end.
lane_end() {
	awk -v lines="$TOLD_LINES_MAX" -v columns="$TOLD_COLUMNS_MAX" \
		'NF && !told[$0]++ && n++ < lines { print substr($0, 1, columns) }' <<<"$lane_told"
	echo "$lane_passed passed, $lane_failed failed"
	[ "$lane_failed" = 0 ] && [ "$lane_passed" -gt 0 ]
	exit
}
