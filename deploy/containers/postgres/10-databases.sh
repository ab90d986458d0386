#!/bin/bash
# A database and three roles for each relational service: the owner migrates, the app reads and writes rows, ro reads. No
# role may even connect to another service's database. Run once by the image, on an empty volume; what
# deploy/local/stack/databases.go does natively.
set -euo pipefail

admin() { psql --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" "$@"; }

for shared in postgres template1; do
  admin --dbname postgres --command "REVOKE CONNECT, TEMPORARY ON DATABASE $shared FROM PUBLIC"
done

for service in user product order payment; do
  upper=${service^^}
  for role in owner app ro; do
    password_of=${upper}_${role^^}_PASSWORD
    admin --dbname postgres --set "password=${!password_of}" <<SQL
CREATE ROLE ${service}_${role} LOGIN PASSWORD :'password';
SQL
  done
  admin --dbname postgres <<SQL
CREATE DATABASE ${service}_service_db OWNER ${service}_owner;
REVOKE CONNECT, TEMPORARY ON DATABASE ${service}_service_db FROM PUBLIC;
GRANT CONNECT ON DATABASE ${service}_service_db TO ${service}_app, ${service}_ro;
SQL
  admin --dbname "${service}_service_db" <<SQL
ALTER DEFAULT PRIVILEGES FOR ROLE ${service}_owner GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO ${service}_app;
ALTER DEFAULT PRIVILEGES FOR ROLE ${service}_owner GRANT USAGE, SELECT ON SEQUENCES TO ${service}_app;
ALTER DEFAULT PRIVILEGES FOR ROLE ${service}_owner GRANT USAGE ON SCHEMAS TO ${service}_app, ${service}_ro;
ALTER DEFAULT PRIVILEGES FOR ROLE ${service}_owner GRANT SELECT ON TABLES TO ${service}_ro;
ALTER DEFAULT PRIVILEGES FOR ROLE ${service}_owner GRANT SELECT ON SEQUENCES TO ${service}_ro;
SQL
done
