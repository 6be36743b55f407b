#!/bin/bash
# Tests `with` on deployments made here, which misbehave as asked; no network, no root, nothing installed but /usr/bin/python3 and
# openssl. Nothing waits by the clock: commands and servers meet at named pipes.
# shellcheck disable=SC2016  # code in single quotes is for other shells
set -u
here=$(dirname "$(readlink -f "$0")")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/tmp" "$work/cache" "$work/d"
cp "$here/with" "$work/d/with"
export TMPDIR=$work/tmp WSQ_CACHE=$work/cache WORK=$work
with=$work/d/with
limit="timeout 60"
passed=0 failed=0

check() { # check TITLE COMMAND...: one test
	local title=$1
	shift
	if "$@"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "FAILED: $title"
	fi
}
is() { [ "$1" = "$2" ] || { echo "  got '$1', wanted '$2'"; false; }; }
has() { grep -q -- "$2" "$1" || { echo "  no '$2' in:"; sed 's/^/  | /' "$1"; false; }; }
gone() { timeout 30 tail -s 0.02 --pid="$1" -f /dev/null; } # waits for the end of a process that is not our child
nothing_left() { is "$(ls "$work/tmp")" ""; }

# A server on two ports of its own, with a child, but not in the deployment `alone`, which ignores TERM in `stubborn`.
cat >"$work/server.py" <<'END'
import os, signal, socket, ssl, subprocess, threading
def serve(s, tls):
    while True:
        c = s.accept()[0]
        try:
            tls.wrap_socket(c, server_side=True).close() if tls else c.close()
        except OSError:
            pass
tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain(os.environ["WSQ_CERT"], os.environ["WSQ_KEY"])
plain, secure = (socket.create_server(("127.0.0.1", 0)) for _ in "ab")
trap = "trap '' TERM;" if os.environ["WSQ_NAME"] == "stubborn" else ""
life = "true" if os.environ["WSQ_NAME"] == "alone" else "exec tail -f /dev/null"
child = subprocess.Popen(["sh", "-c", trap + ": >$WSQ_DIR/up; " + life])
while not os.path.exists(os.environ["WSQ_DIR"] + "/up"):
    pass
print(f"child {child.pid}\nready ws://127.0.0.1:{plain.getsockname()[1]}/a wss://127.0.0.1:{secure.getsockname()[1]}/b", flush=True)
threading.Thread(target=serve, args=(secure, tls), daemon=True).start()
threading.Thread(target=serve, args=(plain, None), daemon=True).start()
signal.pause()
END

deployment() { # deployment NAME START [INSTALL [VERSION]]: shell code for each verb
	mkdir -p "$work/d/$1"
	cat >"$work/d/$1/deploy.sh" <<-END
		#!/bin/bash
		case \$1 in
		pinned) echo "fake 1" ;;
		version) ${4:-echo fake 1} ;;
		install) ${3:-exit 99} ;;
		start) $2 ;;
		esac
	END
	chmod +x "$work/d/$1/deploy.sh"
}
real='exec /usr/bin/python3 -I "$WORK/server.py"'
deployment good "$real"
deployment stubborn "$real"
deployment alone "$real"
deployment dies 'echo "cannot bind" >&2; exit 3'
deployment dies-once 'n=$WORK/dies-once; [ -e "$n" ] || { : >"$n"; exit 3; }; '"$real"
deployment liar 'echo "ready ws://127.0.0.1:$(cat "$WORK/stranger")/"; exec timeout 0.2 tail -f /dev/null'
deployment kept "$real" 'echo x >>"$WORK/installs"; : >"$WSQ_BUILD/done"' '[ -e "$WSQ_BUILD/done" ] && echo fake 1'
deployment lacks : 'echo "no compiler here" >&2; exit 77' 'exit 1'
deployment older : : 'echo fake 0'

# ---- exit status, environment, TLS
$limit "$with" good -- true
check "status 0" is $? 0
$limit "$with" good -- sh -c 'exit 7'
check "the command's status" is $? 7
$limit "$with" good -- sh -c 'kill -9 $$'
check "the command's signal" is $? 137
$limit "$with" good -- /nonexistent/command 2>"$work/err"
check "no such command" is $? 127
$limit "$with" good good -- sh -c 'echo >>"$WORK/runs"; exit "$(wc -l <"$WORK/runs")"'
check "the first status that is not 0" is $? 1
check "every name has its run" is "$(wc -l <"$work/runs")" 2
$limit "$with" nosuch -- true 2>"$work/err"
check "unknown name" is $? 64
$limit "$with" good true 2>"$work/err"
check "no command" is $? 64
check "usage" has "$work/err" usage:
check "list" is "$($limit "$with" --list | grep '^good')" "good                 fake 1"
$limit "$with" good -- /usr/bin/python3 -I - 2>"$work/err" <<'END'
import os, re, socket, ssl
e = os.environ
assert e["WSQ_NAME"] == "good" and e["WSQ_VERSION"] == "fake 1", e
port = re.fullmatch(r"ws://127\.0\.0\.1:(\d+)/a", e["WSQ_URL"])[1]
socket.create_connection(("127.0.0.1", port)).close()
port = re.fullmatch(r"wss://127\.0\.0\.1:(\d+)/b", e["WSQ_WSS_URL"])[1]
tls = ssl.create_default_context(cafile=e["WSQ_CA"])
for name in ("127.0.0.1", "localhost"):
    tls.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname=name).close()
os.kill(int(e["WSQ_PID"]), 0)
assert os.path.exists(e["WSQ_LOG"]) and os.path.samefile(e["WSQ_DIR"], os.path.dirname(e["WSQ_LOG"]))
END
check "environment, both ports and the certificate: $(cat "$work/err")" is $? 0

# ---- nothing is left behind: pids of the server and of its stubborn child
pids='echo $WSQ_PID $(sed -n "s/^child //p" "$WSQ_LOG")'
for name in good stubborn; do
	read -r server child < <($limit "$with" $name -- sh -c "$pids")
	check "$name: the server is gone" gone "$server"
	check "$name: its child is gone" gone "$child"
done
read -r server child < <($limit "$with" good -- sh -c "$pids; kill -9 \$\$")
check "server is gone after a killed command" gone "$server"
check "its child is gone after a killed command" gone "$child"
check "no folder is left" nothing_left

# interrupted SIGNAL NAME: runs a command that waits for ever, sends SIGNAL to `with`, sets status, server and command
interrupted() {
	mkfifo "$work/up"
	"$with" "$2" -- sh -c 'echo $WSQ_PID $$ >"$WORK/up"; exec tail -f /dev/null' &
	local pid=$!
	read -r server command < <($limit cat "$work/up")
	kill "-$1" "$pid"
	wait "$pid" 2>/dev/null
	status=$?
	rm "$work/up"
}
for signal in TERM HUP; do
	interrupted $signal good
	check "$signal: status" is "$status" $((128 + $(kill -l $signal)))
	check "$signal: the command is gone" gone "$command"
	check "$signal: the server is gone" gone "$server"
	check "$signal: no folder is left" nothing_left
done
interrupted KILL alone # its server is killed by the kernel; a child of that would stay
kill "$command"
check "KILL: the server is gone" gone "$server"
rm -rf "$work"/tmp/*
# Ctrl-C: the terminal gives the signal to with and command alike. A shell's background job would ignore INT: setsid does not.
mkfifo "$work/up"
(trap - INT; exec setsid --wait /usr/bin/python3 -I -c 'import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
os.execv(sys.argv[1], sys.argv[1:])' "$with" good -- sh -c 'echo $WSQ_PID $$ $PPID >"$WORK/up"; exec tail -f /dev/null') &
session=$!
read -r server command leader < <($limit cat "$work/up")
kill -INT -- "-$leader"
wait "$session"
status=$?
rm "$work/up"
check "Ctrl-C: status" is "$status" 130
check "Ctrl-C: the command is gone" gone "$command"
check "Ctrl-C: the server is gone" gone "$server"
check "Ctrl-C: no folder is left" nothing_left

# ---- two at once
mkfifo "$work/a" "$work/b"
$limit "$with" good -- sh -c 'echo $WSQ_URL >"$WORK/a"; read -r end <"$WORK/b"; echo $end' >"$work/first" &
one=$!
a=$($limit cat "$work/a")
$limit "$with" good -- sh -c 'echo $WSQ_URL >"$WORK/b"; echo $WSQ_URL' >"$work/second"
wait "$one"
check "two at once: both were up together" is "$(cat "$work/first")" "$(cat "$work/second")"
check "two at once: two ports" test "$a" != "$(cat "$work/second")"

# ---- servers that do not start
$limit "$with" dies -- true 2>"$work/err"
check "a server that dies: status" is $? 69
check "a server that dies: its last words" has "$work/err" "cannot bind"
$limit "$with" dies-once -- true
check "a server that lost its port is started again" is $? 0
mkfifo "$work/up"
/usr/bin/python3 -I -c 'import socket, sys
s = socket.create_server(("127.0.0.1", 0))
open(sys.argv[1], "w").write(str(s.getsockname()[1]))
open(sys.argv[2], "w").close()
s.accept()' "$work/stranger" "$work/up" &
stranger=$!
cat "$work/up"
$limit "$with" liar -- true 2>"$work/err"
check "a port on which a stranger listens is not believed" is $? 69
kill "$stranger"
check "no folder is left by servers that did not start" nothing_left

# ---- installing
$limit "$with" kept -- true && $limit "$with" kept kept -- true
check "installs and starts" is $? 0
check "installs once" is "$(wc -l <"$work/installs")" 1
echo "a new source" >"$work/d/kept/echo.c"
$limit "$with" --install kept
check "a changed source is installed again" is "$(wc -l <"$work/installs")" 2
echo "not a source" >"$work/d/kept/README.md"
$limit "$with" --install kept
check "a changed README.md is not" is "$(wc -l <"$work/installs")" 2
$limit "$with" lacks -- true 2>"$work/err"
check "no toolchain: status" is $? 77
check "no toolchain: the reason" has "$work/err" "no compiler here"
$limit "$with" older -- true 2>"$work/err"
check "another version than the pinned one: status" is $? 69
check "another version than the pinned one: both are named" has "$work/err" "fake 1, but fake 0"

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
