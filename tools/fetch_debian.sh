#!/bin/sh
# Puts a program of Debian's into the folder named: fetch_debian.sh haproxy build/servers/haproxy. It is the one on
# PATH, if that will do. Packages are unpacked and not installed, since installing them needs root and starts servers.
set -eu
program=$1
folder=$2
case $program in
redis-7.0)
    name=redis-server
    packages='redis-server redis-tools libjemalloc2 liblzf1'
    version='--version'
    pattern='v=7\.0\.'
    ;;
haproxy)
    name=haproxy
    packages='haproxy liblua5.3-0 libopentracing-c-wrapper0 libopentracing1'
    version='-v'
    pattern='HAProxy version'
    ;;
nutcracker)
    name=nutcracker
    packages='nutcracker libyaml-0-2'
    version='--version'
    pattern='nutcracker-'
    ;;
*)
    echo "usage: fetch_debian.sh redis-7.0|haproxy|nutcracker FOLDER" >&2
    exit 2
    ;;
esac
rm -rf "$folder"
mkdir -p "$folder"
cd "$folder"

if "$name" $version 2>&1 | grep -q "$pattern"; then
    ln -s "$(command -v $name)" "$name"
    exit
fi

# Lists of packages of our own: those of the system may be old or missing, and need root.
mkdir -p lists/partial cache/archives/partial
apt() {
    apt-get -qq -o APT::Sandbox::User=root -o "Dir::State::Lists=$PWD/lists" -o "Dir::Cache=$PWD/cache" "$@"
}
# shellcheck disable=SC2086
if ! { apt update && apt download $packages; } >log 2>&1; then
    echo "apt-get cannot download Debian's $name; put it on PATH ($(tail -n 1 log))" >&2
    exit 1
fi
for package in ./*.deb; do
    dpkg -x "$package" .
done
rm -rf lists cache ./*.deb

cat >"$name" <<END
#!/bin/sh
here=\$(dirname "\$0")
LD_LIBRARY_PATH=\$(echo "\$here"/usr/lib/*-linux-gnu) exec "\$(echo "\$here"/usr/*bin/$name)" "\$@"
END
chmod +x "$name"
if ! "./$name" $version 2>&1 | grep -q "$pattern"; then
    echo "this system's $name is another one; put it on PATH ($("./$name" $version 2>&1 | head -n 1))" >&2
    rm "$name"
    exit 1
fi
