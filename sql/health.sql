/* Is a ledger whole?  Its own scripts say what it consists of. */

CREATE FUNCTION backorder.next_id(relation regclass, column_name text) RETURNS bigint
	LANGUAGE c STABLE STRICT
	AS 'MODULE_PATHNAME', 'backorder_next_id';
COMMENT ON FUNCTION backorder.next_id(regclass, text) IS 'The number that an identity column gives next; NULL where it is none, or has given its last.';

CREATE FUNCTION backorder.trigger_damage(schema oid, OUT table_name name, OUT trigger_name name, OUT damage text)
	RETURNS SETOF record
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce(c.relname, t.table_name::name), t.trigger_name::name,
		CASE WHEN g.oid IS NULL THEN 'missing' WHEN g.tgenabled NOT IN ('O', 'A') THEN 'disabled' ELSE 'calls another function' END
	FROM backorder.required_trigger AS t
	LEFT JOIN pg_catalog.pg_class AS root ON root.relname = t.table_name AND root.relnamespace = schema
	CROSS JOIN LATERAL (
		SELECT root.oid AS oid UNION SELECT p.relid FROM pg_catalog.pg_partition_tree(root.oid) AS p
	) AS r
	LEFT JOIN pg_catalog.pg_class AS c ON c.oid = r.oid
	LEFT JOIN pg_catalog.pg_trigger AS g ON g.tgrelid = c.oid AND g.tgname = t.trigger_name
	LEFT JOIN pg_catalog.pg_proc AS f ON f.oid = g.tgfoid AND f.proname = t.function_name
		AND f.pronamespace = pg_catalog.to_regnamespace('backorder')
	WHERE g.oid IS NULL OR g.tgenabled NOT IN ('O', 'A') OR f.oid IS NULL
	UNION ALL
	SELECT c.relname, g.tgname, 'superfluous'
	FROM pg_catalog.pg_trigger AS g
	JOIN pg_catalog.pg_proc AS f ON f.oid = g.tgfoid AND f.pronamespace = pg_catalog.to_regnamespace('backorder')
	JOIN pg_catalog.pg_class AS c ON c.oid = g.tgrelid
	JOIN pg_catalog.pg_class AS root ON root.oid = coalesce(pg_catalog.pg_partition_root(c.oid), c.oid) AND root.relnamespace = schema
	WHERE root.relname IN (SELECT t.table_name FROM backorder.required_trigger AS t) AND NOT EXISTS (
		SELECT FROM backorder.required_trigger AS t
		WHERE t.table_name = root.relname AND t.trigger_name = g.tgname AND t.function_name = f.proname);
END;
COMMENT ON FUNCTION backorder.trigger_damage(oid) IS
	'Triggers of the ledger in this schema that are missing, disabled, superfluous or call another function, also on partitions.';

CREATE FUNCTION backorder.ledger_version(schema oid) RETURNS text
	LANGUAGE c STABLE STRICT
	AS 'MODULE_PATHNAME', 'backorder_ledger_version';
COMMENT ON FUNCTION backorder.ledger_version(oid) IS
	'Version of the ledger in this schema; NULL for a caller who may not read its table "ledger".';

CREATE FUNCTION backorder.code_damage(schema oid, OUT invariant text, OUT expected text, OUT actual text)
	RETURNS SETOF record
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT 'trigger', pg_catalog.format('trigger %s on %s', trigger_name, table_name), damage
	FROM backorder.trigger_damage(schema)
	UNION ALL
	SELECT 'version', backorder.version(), backorder.ledger_version(schema)
	WHERE backorder.version() IS DISTINCT FROM backorder.ledger_version(schema)
	UNION ALL
	SELECT 'code', pg_catalog.lower(made.object[1]) || ' ' || made.object[2], 'missing'
	FROM pg_catalog.regexp_matches(backorder.script_views() || backorder.script_functions(),
		'CREATE OR REPLACE (VIEW|FUNCTION|PROCEDURE) (\w+)', 'g') AS made (object)
	WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_class AS c WHERE c.relname = made.object[2] AND c.relnamespace = schema)
		AND NOT EXISTS (SELECT FROM pg_catalog.pg_proc AS f WHERE f.proname = made.object[2] AND f.pronamespace = schema)
	ORDER BY 1, 2, 3;
END;
COMMENT ON FUNCTION backorder.code_damage(oid) IS
	'What is wrong with the code of the ledger in this schema; backorder.upgrade_ledger() mends it.';

CREATE VIEW backorder.ledger AS
	SELECT n.nspname AS schema,
		pg_catalog.pg_get_userbyid(slots.relowner) AS owner,
		backorder.ledger_version(n.oid) AS version,
		NOT EXISTS (SELECT FROM backorder.trigger_damage(n.oid)) AS healthy_triggers
	FROM pg_catalog.pg_namespace AS n
	JOIN pg_catalog.pg_class AS slots ON slots.relnamespace = n.oid AND slots.relname = 'stock_slot' AND slots.relkind = 'r'
	JOIN pg_catalog.pg_class AS settings ON settings.relnamespace = n.oid AND settings.relname = 'ledger' AND settings.relkind = 'r'
	WHERE EXISTS (SELECT FROM pg_catalog.pg_class AS c WHERE c.relnamespace = n.oid AND c.relname = 'order_line')
		AND 2 = (
			SELECT count(*) FROM pg_catalog.pg_attribute AS a
			WHERE a.attrelid = settings.oid AND a.attname IN ('version', 'time_zone') AND a.atttypid = 'text'::regtype);
GRANT SELECT ON backorder.ledger, backorder.required_trigger TO PUBLIC;
COMMENT ON VIEW backorder.ledger IS 'The ledgers of this database, read from the catalogs.';
COMMENT ON COLUMN backorder.ledger.schema IS 'Schema of the ledger.';
COMMENT ON COLUMN backorder.ledger.owner IS 'Owner of its tables.';
COMMENT ON COLUMN backorder.ledger.version IS 'Version of its code; NULL for a reader who may not see its settings.';
COMMENT ON COLUMN backorder.ledger.healthy_triggers IS 'Whether all triggers are there and enabled, also on partitions.';

COMMENT ON FUNCTION backorder.script_tables() IS 'The tables of a ledger, as DDL.';
COMMENT ON FUNCTION backorder.script_views() IS 'The views of a ledger, as DDL.';
COMMENT ON FUNCTION backorder.script_functions() IS 'The functions of a ledger, as DDL.';
COMMENT ON FUNCTION backorder.script_comments() IS 'The comments on the tables of a ledger, as DDL.';
COMMENT ON FUNCTION backorder.script_check() IS 'The query behind check_ledger().';
COMMENT ON FUNCTION backorder.script_rebuild() IS 'The statements behind rebuild_ledger().';
