/* A place that holds stock. A mistyped location is an error, not an empty warehouse. */
CREATE TABLE location (
	location text COLLATE "C" PRIMARY KEY CONSTRAINT location_not_empty CHECK (location <> ''),
	description text
);
INSERT INTO location (location) VALUES ('main');
ALTER TABLE ledger ADD CONSTRAINT ledger_default_location_fkey FOREIGN KEY (default_location) REFERENCES location;
