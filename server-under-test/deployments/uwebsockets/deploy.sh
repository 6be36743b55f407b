#!/bin/sh
# The C++ library uWebSockets as the Python package socketify carries it, from PyPI. The verbs are explained in ../README.md.
set -eu
here=$(dirname "$(readlink -f "$0")")
python=$WSQ_BUILD/venv/bin/python

case ${1-} in
pinned) echo "socketify 0.0.31" ;;
version) "$python" -I -c 'from importlib.metadata import version as v; import socketify; print("socketify", v("socketify"))' ;;
install)
	rm -rf "${WSQ_BUILD:?}/venv"
	/usr/bin/python3 -m venv "$WSQ_BUILD/venv" || { echo "python3-venv is not installed" >&2; exit 77; }
	exec "$python" -m pip install --quiet --disable-pip-version-check --requirement "$here/requirements.txt"
	;;
start) exec "$python" -I "$here/echo.py" ;;
*) echo "usage: $0 pinned|version|install|start" >&2; exit 64 ;;
esac
