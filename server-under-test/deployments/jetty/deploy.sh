#!/bin/sh
# Eclipse Jetty, from Maven Central. The verbs are explained in ../README.md.
set -eu
here=$(dirname "$(readlink -f "$0")")
dependency_plugin=org.apache.maven.plugins:maven-dependency-plugin:3.8.1

case ${1-} in
pinned) echo "jetty 12.1.12" ;;
version) java -cp "$WSQ_BUILD/classes:$WSQ_BUILD/lib/*" Echo --version ;;
install)
	for tool in javac mvn; do
		command -v $tool >/dev/null || { echo "$tool is not installed" >&2; exit 77; }
	done
	rm -rf "${WSQ_BUILD:?}/lib" "$WSQ_BUILD/classes"
	nice mvn -B -q -f "$here/pom.xml" "$dependency_plugin:copy-dependencies" -DoutputDirectory="$WSQ_BUILD/lib"
	nice javac -cp "$WSQ_BUILD/lib/*" -d "$WSQ_BUILD/classes" "$here/Echo.java"
	;;
start) exec java -cp "$WSQ_BUILD/classes:$WSQ_BUILD/lib/*" Echo ;;
*) echo "usage: $0 pinned|version|install|start" >&2; exit 64 ;;
esac
