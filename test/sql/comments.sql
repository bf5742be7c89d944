-- Every object of a ledger and of the extension says what it is.
SET SESSION AUTHORIZATION merchant;
SELECT backorder.create_ledger('told');

-- tables, views and sequences of neither identity columns nor indexes
CREATE TEMP VIEW silent AS
SELECT 'relation' AS kind, c.oid::regclass::text AS name
FROM pg_class AS c
WHERE relnamespace IN ('told'::regnamespace, 'backorder'::regnamespace) AND relkind IN ('r', 'v', 'm', 'p', 'f')
	AND obj_description(c.oid, 'pg_class') IS NULL
UNION ALL
-- the columns of tables
SELECT 'column', c.oid::regclass::text || '.' || attname
FROM pg_class AS c JOIN pg_attribute AS a ON attrelid = c.oid AND attnum > 0 AND NOT attisdropped
WHERE relnamespace IN ('told'::regnamespace, 'backorder'::regnamespace) AND relkind IN ('r', 'p')
	AND col_description(c.oid, attnum) IS NULL
UNION ALL
-- functions and aggregates
SELECT 'function', p.oid::regprocedure::text
FROM pg_proc AS p
WHERE pronamespace IN ('told'::regnamespace, 'backorder'::regnamespace) AND obj_description(p.oid, 'pg_proc') IS NULL
UNION ALL
-- types that are not the rows of tables and views, nor their arrays
SELECT 'type', t.oid::regtype::text
FROM pg_type AS t
WHERE typnamespace IN ('told'::regnamespace, 'backorder'::regnamespace) AND typrelid = 0 AND typelem = 0
	AND obj_description(t.oid, 'pg_type') IS NULL
UNION ALL
-- triggers
SELECT 'trigger', tgname || ' on ' || tgrelid::regclass
FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = tgrelid
WHERE relnamespace = 'told'::regnamespace AND NOT tgisinternal AND obj_description(t.oid, 'pg_trigger') IS NULL
UNION ALL
-- the schemas and the extension
SELECT 'schema', nspname
FROM pg_namespace AS n
WHERE nspname IN ('told', 'backorder') AND obj_description(n.oid, 'pg_namespace') IS NULL
UNION ALL
SELECT 'extension', extname
FROM pg_extension AS e
WHERE extname = 'backorder' AND obj_description(e.oid, 'pg_extension') IS NULL;
SELECT * FROM silent ORDER BY kind, name COLLATE "C";

-- a comment is a sentence or more, not an empty phrase
SELECT objoid::regclass AS relation, objsubid AS column, description
FROM pg_description JOIN pg_class AS c ON classoid = 'pg_class'::regclass AND objoid = c.oid
WHERE relnamespace IN ('told'::regnamespace, 'backorder'::regnamespace) AND description !~ '^[A-Z].*[.]$'
ORDER BY 1, 2;

SET client_min_messages = warning;
DROP SCHEMA told CASCADE;
