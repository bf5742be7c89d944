COMMENT ON TABLE stock_slot IS 'A part of the balance of one item at one location, written by the engine. Only sums over slots mean anything: read the view stock.';
COMMENT ON COLUMN stock_slot.item IS 'Item.';
COMMENT ON COLUMN stock_slot.location IS 'Location.';
COMMENT ON COLUMN stock_slot.slot IS 'Number of the slot. Several let orders of a popular item pass without waiting for each other. Those below 0 hold no stock.';
COMMENT ON COLUMN stock_slot.available IS 'Stock units nobody has been given.';
COMMENT ON COLUMN stock_slot.allocated IS 'Stock units on hand that belong to order lines. May be negative in one slot; the sum is not.';
COMMENT ON COLUMN stock_slot.backordered IS 'Stock units that order lines wait for. May be negative in one slot; the sum is not.';
