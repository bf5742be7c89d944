/* One row: what this ledger is, and the settings that hold for all of it. */
CREATE TABLE ledger (
	only_row boolean PRIMARY KEY DEFAULT true CONSTRAINT ledger_has_one_row CHECK (only_row),
	version text NOT NULL,
	time_zone text NOT NULL,
	default_location text COLLATE "C" NOT NULL DEFAULT 'main'
);
