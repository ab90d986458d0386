# Builds the stand-ins and names them in the environment; local-engine.sh reads it in. $work is a folder for what is made,
# $here is deploy/containers.

# quietly shows a command's output only if it fails.
quietly() { "$@" >"$work/output" 2>&1 || { cat "$work/output" >&2; return 1; }; }

# A plain Debian with the clients that health checks use, kept in the cache as an archive.
cache=${CARAVAN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/caravan}
debian=$cache/debian-bookworm-standin.tar
if [ ! -f "$debian" ]; then
  echo "making a plain Debian, once"
  mkdir -p "$cache"
  quietly debootstrap --variant=minbase --include=ca-certificates,postgresql-client,redis-tools bookworm "$work/debian"
  tar --directory "$work/debian" --create --file "$debian.new.$$" --exclude ./var/cache/apt/archives --exclude ./var/lib/apt/lists .
  mv "$debian.new.$$" "$debian"
  rm -rf "$work/debian"
fi
quietly docker import "$debian" caravan-standin/debian

# In place of distroless/static: certificates, a user and nothing to run.
mkdir -p "$work/static/etc/ssl/certs" "$work/static/tmp"
chmod 1777 "$work/static/tmp"
echo 'nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin' >"$work/static/etc/passwd"
cp /etc/ssl/certs/ca-certificates.crt "$work/static/etc/ssl/certs/"
tar --directory "$work/static" --create . | quietly docker import - caravan-standin/static
export CARAVAN_IMAGE_BASE=caravan-standin/static

# In place of golang: this machine's toolchain, and the modules that go.mod names, as a proxy in the file system.
GOMODCACHE=$work/modules GOPROXY=file://$(go env GOMODCACHE)/cache/download,$(go env GOPROXY) GOFLAGS=-modcacherw quietly go mod download
tar --create --file "$work/go.tar" --directory "$(dirname "$(go env GOROOT)")" --transform 's,^go\(/\|$\),usr/local/go\1,' --exclude go/test "$(basename "$(go env GOROOT)")"
tar --append --file "$work/go.tar" --directory "$work/modules/cache" --transform 's,^download,modules,' download
cp "$debian" "$work/golang.tar"
tar --concatenate --file "$work/golang.tar" "$work/go.tar"
quietly docker import --change 'ENV PATH=/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root GOPROXY=file:///modules GOTOOLCHAIN=local' \
  "$work/golang.tar" caravan-standin/golang
rm -rf "$work/go.tar" "$work/golang.tar" "$work/modules"
export CARAVAN_IMAGE_GO=caravan-standin/golang

# The servers of the native stack.
go build -o bin/caravan ./deploy/local/cmd/caravan
bin/caravan software >"$work/software"
folder_of() { sed -n "s/^$1=//p" "$work/software"; }
standin() { # NAME FILE PROGRAM [ARG]: the program is copied in as PROGRAM says
  local context=$work/context
  rm -rf "$context"
  mkdir "$context"
  cp "$here"/standins/*.sh "$context"
  cp -r "${@:3:1}" "$context/${*:4:1}"
  quietly docker build --file "$here/standins/$2.Dockerfile" --build-arg "PROGRAM=${*:4:1}" --tag "caravan-standin/$1" "$context"
}
standin postgres postgres "$(folder_of postgres)" pg
standin redis redis "$(folder_of redis)" redis-server
standin daprd dapr "$(folder_of dapr)/daprd" daprd
standin sentry dapr "$(folder_of dapr)/sentry" sentry
export CARAVAN_IMAGE_POSTGRES=caravan-standin/postgres CARAVAN_IMAGE_REDIS=caravan-standin/redis
export CARAVAN_IMAGE_DAPRD=caravan-standin/daprd CARAVAN_IMAGE_SENTRY=caravan-standin/sentry
export CARAVAN_IMAGE_KAFKA=native CARAVAN_IMAGE_ELASTICSEARCH=native CARAVAN_IMAGE_MONGO=native
# The one that removes forgotten containers is an image too; here the engine goes away as a whole.
export TESTCONTAINERS_RYUK_DISABLED=true TESTCONTAINERS_HOST_OVERRIDE=127.0.0.1
echo "stand-ins: $(docker images --format '{{.Repository}}' | grep '^caravan-standin/' | sort | xargs)"
