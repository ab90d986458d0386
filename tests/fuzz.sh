#!/bin/bash
# Sends generated requests to every public operation of a running stack, through the edge, and fails on any 5xx answer
# and on any answer that the service's OpenAPI document does not allow.
#   CARAVAN_STACK   the stack.json of the stack; .caravan/stack.json without it
#   FUZZ_EXAMPLES   how many requests an operation, 40 without it
#   FUZZ_CHECKS     schemathesis' checks
# The stack should run with a long ACCESS_TTL: the tokens are fetched once.
set -euo pipefail
cd "$(dirname "$0")/.."

VERSION=4.32.5
stack=${CARAVAN_STACK:-$PWD/.caravan/stack.json}
examples=${FUZZ_EXAMPLES:-40}
checks=${FUZZ_CHECKS:-not_a_server_error,response_schema_conformance,content_type_conformance}
cache=${CARAVAN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/caravan}
venv=$cache/schemathesis-$VERSION

if [ ! -x "$venv/bin/schemathesis" ]; then
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" install -q "schemathesis==$VERSION"
fi

said() { "$venv/bin/python" -c 'import json,sys; v=json.load(open(sys.argv[1]))
for k in sys.argv[2].split("."): v=v[k]
print(v)' "$stack" "$1"; }

edge=$(said edge)
base() { echo "$edge/v1.0/invoke/$1/method"; }

# token signs an account in: token <email> <password>
token() {
  "$venv/bin/python" - "$(base user)/v1/sessions" "$1" "$2" <<'PY'
import json, sys, urllib.request
url, email, password = sys.argv[1:]
body = json.dumps({"email": email, "password": password}).encode()
request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
print(json.load(urllib.request.urlopen(request))["access_token"])
PY
}

# customer registers an account that nobody else needs, and signs it in.
customer() {
  local email="fuzz-$(date +%s%N)@example.com"
  "$venv/bin/python" - "$(base user)/v1/users" "$email" <<'PY'
import json, sys, urllib.request
url, email = sys.argv[1:]
body = json.dumps({"email": email, "password": "a barn owl at noon", "first_name": "Fuzz", "last_name": "Er"}).encode()
urllib.request.urlopen(urllib.request.Request(url, body, {"Content-Type": "application/json"})).read()
PY
  token "$email" "a barn owl at noon"
}

failed=()
# fuzz <name> <service> <token> <arguments…>
fuzz() {
  local name=$1 service=$2 bearer=$3
  shift 3
  echo "== $name"
  "$venv/bin/schemathesis" run "services/$service/openapi.yaml" --url "$(base "$service")" \
    --header "Authorization: Bearer $bearer" --exclude-path-regex '^/internal/' \
    --phases examples,coverage,fuzzing --checks "$checks" --max-examples "$examples" --continue-on-failure \
    --request-timeout 30 --workers 2 --no-color --seed 1 "$@" || failed+=("$name")
}

# Operations that end the caller's own sessions or account run with a customer of their own; all others as an admin.
ending='^(endAllSessions|endCurrentSession|endSession|deleteMe|deleteMyself|eraseMe|changePassword)$'
admin=$(token "$(said accounts.admin.email)" "$(said accounts.admin.password)")
for service in ${FUZZ_SERVICES:-notification cart order payment product user}; do
  fuzz "$service, signed in as admin" "$service" "$admin" --exclude-operation-id-regex "$ending"
done
if [ -z "${FUZZ_SERVICES:-}" ]; then
  for service in cart order payment; do
    fuzz "$service, signed in as a customer" "$service" "$(customer)" --exclude-operation-id-regex "$ending"
  done
  fuzz "user, what ends sessions and accounts" user "$(customer)" --include-operation-id-regex "$ending"
fi
if [ ${#failed[@]} -gt 0 ]; then
  printf 'failed: %s\n' "${failed[@]}" >&2
  exit 1
fi
echo "no operation answered 5xx or against its document"
