COMMENT ON TABLE location IS 'A place that holds stock. Orders and moves can only name locations listed here.';
COMMENT ON COLUMN location.location IS 'Key of the location, such as a warehouse code.';
COMMENT ON COLUMN location.description IS 'Free text for people.';
