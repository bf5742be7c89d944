/* What the condition of a priority rule sees of a line. */
CREATE OR REPLACE VIEW rule_input WITH (security_invoker = true) AS
SELECT l.order_id, l.line_no, l.priority,
	jsonb_build_object(
		'order_id', l.order_id,
		'line_no', l.line_no,
		'item', l.item,
		'location', l.location,
		'customer', l.customer,
		'quantity', l.quantity,
		'unit_price', coalesce(l.unit_price, i.unit_price),
		'value', l.quantity * coalesce(l.unit_price, i.unit_price),
		'required_by', l.required_by AT TIME ZONE 'UTC',
		'placed_at', l.placed_at AT TIME ZONE 'UTC',
		'demand_class', l.demand_class,
		'priority', l.priority,
		'attributes', l.attributes
	) AS line
FROM order_line AS l
LEFT JOIN item AS i ON i.item = l.item;

COMMENT ON VIEW rule_input IS 'What the condition of a priority rule sees of each order line.';
COMMENT ON COLUMN rule_input.order_id IS 'Order.';
COMMENT ON COLUMN rule_input.line_no IS 'Line of the order.';
COMMENT ON COLUMN rule_input.priority IS 'The line''s own priority, which is added to that of the rules.';
COMMENT ON COLUMN rule_input.line IS 'The line as a JSON object: $ of the condition. Times are UTC; the price is the item''s where the line has none.';
