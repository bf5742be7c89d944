COMMENT ON TABLE inbound IS 'Supply that is expected, such as one line of a purchase order.';
COMMENT ON COLUMN inbound.inbound_id IS 'Key, from a sequence.';
COMMENT ON COLUMN inbound.item IS 'Item expected.';
COMMENT ON COLUMN inbound.location IS 'Location it is expected at.';
COMMENT ON COLUMN inbound.quantity IS 'Stock units ordered from the supplier.';
COMMENT ON COLUMN inbound.received IS 'Stock units of these that have arrived.';
COMMENT ON COLUMN inbound.expected_at IS 'When the rest is expected; NULL: unknown.';
COMMENT ON COLUMN inbound.supplier IS 'Who delivers.';
COMMENT ON COLUMN inbound.reference IS 'Number of the purchase order or other document.';
