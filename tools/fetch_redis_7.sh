#!/bin/sh
# Puts a redis-server 7.0 into the folder named: the one on PATH, or Debian's. Its package is unpacked
# and not installed, since installing it needs root and starts a server.
set -eu
folder=$1
rm -rf "$folder"
mkdir -p "$folder"
cd "$folder"

if redis-server --version 2>/dev/null | grep -q 'v=7\.0\.'; then
    ln -s "$(command -v redis-server)" redis-server
    exit
fi

# Lists of packages of our own: those of the system may be old or missing, and need root.
mkdir -p lists/partial cache/archives/partial
apt() {
    apt-get -qq -o APT::Sandbox::User=root -o "Dir::State::Lists=$PWD/lists" -o "Dir::Cache=$PWD/cache" "$@"
}
if ! { apt update && apt download redis-server redis-tools libjemalloc2 liblzf1; } >log 2>&1; then
    echo "apt-get cannot download Debian's redis-server; put a redis-server 7.0 on PATH ($(tail -n 1 log))" >&2
    exit 1
fi
for package in ./*.deb; do
    dpkg -x "$package" .
done
rm -rf lists cache ./*.deb

cat >redis-server <<'END'
#!/bin/sh
here=$(dirname "$0")
LD_LIBRARY_PATH=$(echo "$here"/usr/lib/*-linux-gnu) exec "$here/usr/bin/redis-server" "$@"
END
chmod +x redis-server
case $(./redis-server --version 2>&1) in
*v=7.0.*) ;;
*)
    echo "this system's redis-server is not 7.0; put one on PATH ($(./redis-server --version 2>&1 | head -n 1))" >&2
    rm redis-server
    exit 1
    ;;
esac
