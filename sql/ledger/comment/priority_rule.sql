COMMENT ON TABLE priority_rule IS 'Who goes first when stock is short. Of all rules that match a line the highest priority counts, and the head starts add up.';
COMMENT ON COLUMN priority_rule.name IS 'Key: the name by which the journal tells which rules ranked a line.';
COMMENT ON COLUMN priority_rule.condition IS 'SQL/JSON path over the line as an object: item, location, customer, quantity, unit_price, value, required_by, demand_class, attributes. The rule matches where it is true.';
COMMENT ON COLUMN priority_rule.priority IS 'Class of lines that match: higher is served first, whatever the time.';
COMMENT ON COLUMN priority_rule.head_start IS 'Lines that match rank as if they had entered this much earlier.';
COMMENT ON COLUMN priority_rule.valid_from IS 'The rule holds for lines entering from here on; NULL: always has.';
COMMENT ON COLUMN priority_rule.valid_to IS 'The rule holds for lines entering before this; NULL: without end.';
COMMENT ON COLUMN priority_rule.longest_wait IS 'Longest acceptable wait of backorders that the rule has ranked; NULL: none. The shortest of the item''s and the rules'' counts.';
COMMENT ON COLUMN priority_rule.escalation IS 'What is added to the priority of a backorder that has waited longer.';
