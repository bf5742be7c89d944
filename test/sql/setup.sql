-- The roles that the tests run as, and the extension.  Runs before every other
-- test.  merchant, who owns the ledgers, is no superuser: the extension is
-- trusted, and whoever may create in the database may have it.
DO $$
DECLARE
	name text;
BEGIN
	FOREACH name IN ARRAY ARRAY['merchant', 'clerk', 'stranger'] LOOP
		IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
			EXECUTE format('CREATE ROLE %I', name);
		END IF;
	END LOOP;
	EXECUTE format('GRANT CREATE ON DATABASE %I TO merchant', current_database());
END
$$;
SET SESSION AUTHORIZATION merchant;
CREATE EXTENSION backorder;
SELECT extowner::regrole AS owner FROM pg_extension WHERE extname = 'backorder';
