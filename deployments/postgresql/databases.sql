-- Makes the databases of compose.yaml, once, when its server begins on an empty volume: one for busytime, one for Prefect,
-- each with an owner that cannot use the other. The passwords are read from the file of secrets that the clients read, too.
\set ON_ERROR_STOP on
\set busytime_password `awk -F: '$4 == "busytime" { print $5 }' "$PGPASSFILE"`
\set prefect_password `awk -F: '$4 == "prefect" { print $5 }' "$PGPASSFILE"`

SELECT length(:'busytime_password') > 0 AND length(:'prefect_password') > 0 AS complete \gset
\if :complete
\else
    DO $$ BEGIN RAISE 'The secret pgpass lacks the password of busytime or of prefect.'; END $$;
\endif

CREATE ROLE busytime LOGIN PASSWORD :'busytime_password';
CREATE DATABASE busytime OWNER busytime ENCODING 'UTF8' TEMPLATE template0;
REVOKE CONNECT ON DATABASE busytime FROM PUBLIC;

CREATE ROLE prefect LOGIN PASSWORD :'prefect_password';
CREATE DATABASE prefect OWNER prefect ENCODING 'UTF8' TEMPLATE template0;
REVOKE CONNECT ON DATABASE prefect FROM PUBLIC;
\connect prefect
CREATE EXTENSION pg_trgm;
