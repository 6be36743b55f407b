#!/bin/sh
# The Python library wsproto under the ASGI server uvicorn, from Debian. The verbs are explained in ../README.md.
set -eu
here=$(dirname "$(readlink -f "$0")")
# Not whatever python3 comes first in PATH: the library is a package of Debian's own Python.
python=/usr/bin/python3

case ${1-} in
pinned) echo "wsproto 1.2.0 uvicorn 0.17.6" ;;
version) "$python" -I -c 'import wsproto, uvicorn; print("wsproto", wsproto.__version__, "uvicorn", uvicorn.__version__)' ;;
install) exec "$here/../apt-install" python3-uvicorn python3-wsproto ;;
start) exec "$python" -I "$here/echo.py" ;;
*) echo "usage: $0 pinned|version|install|start" >&2; exit 64 ;;
esac
