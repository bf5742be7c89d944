COMMENT ON TABLE ledger IS 'One row: what this ledger is, and the settings that hold for all of it.';
COMMENT ON COLUMN ledger.only_row IS 'Always true: the table has one row.';
COMMENT ON COLUMN ledger.version IS 'Version of the extension that made or last upgraded this ledger.';
COMMENT ON COLUMN ledger.time_zone IS 'Time zone whose calendar days the figures count, as in pg_timezone_names.';
COMMENT ON COLUMN ledger.default_location IS 'Location of an order line or stock move that names none.';
