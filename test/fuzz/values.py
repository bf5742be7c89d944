"""SQL expressions to call things with: sensible ones, so that the code behind is reached, and extreme ones."""

DEEP = 3000

LINES = [
    '[{"item": "a", "quantity": 1}]',
    '[{"item": "a", "quantity": 2}, {"item": "b", "quantity": 3, "location": "north", "priority": 4}]',
    '[{"item": "short", "quantity": 1, "line_no": 7, "on_short": "cancel", "not_before": "infinity"}]',
    '[{"item": "a", "quantity": 1, "attributes": {"segment": "gold"}, "required_by": "2030-01-01"}]',
]
BAD_LINES = [
    'null', '{}', '[]', '1', '"x"', '[null]', '[1]', '[[]]', '[{}]', '[{"item": null, "quantity": null}]',
    '[{"item": "a"}]', '[{"item": "a", "quantity": "NaN"}]', '[{"item": "a", "quantity": 1e131071}]',
    '[{"item": "a", "quantity": {"deep": []}}]', '[{"item": [], "quantity": true}]',
    '[{"item": "a", "quantity": 1, "line_no": 99999999999999999999}]',
    '[{"item": "a", "quantity": 1, "line_no": 1}, {"item": "a", "quantity": 1, "line_no": 1}]',
    '[{"item": "a", "quantity": 1, "placed_at": "x", "priority": 1.5}]',
    '[{"item": "a", "quantity": 1, "on_short": "x", "no such key": 1}]',
    '[{"item": "a", "quantity": 1, "attributes": [1], "not_before": 5}]',
    '[{"item": "a\\u0001", "quantity": 1}]', '[{"item": "\\u0000", "quantity": 1}]', '{"item": "a", "quantity": 1}',
]


def quote(text):
    return "'" + text.replace("'", "''") + "'"


TEXTS = ['', ' ', 'x', "'", '"', '\\', '%s%n%d', '{}', '[', '$1', ';DROP TABLE item', '--', '\x01\x7f', '\t\r\n',
         'é', 'ﷺ', '\u202e', '\U0001f4a9' * 40, 'NULL', 'null', 'infinity', 'a' * 63, 'a' * 64]
EXTREME_TEXTS = ["repeat('x', 100000)", "repeat('%s', 3000)", "repeat('é', 5000)", "chr(1114111)", "convert_from('\\xff'::bytea, 'UTF8')",
                 "E'\\xff'", b"'\xff\xfe'", b"'\xc0\xaf'", b"'\xed\xa0\x80'", b"'ok\x80'"]
NUMBERS = ['0', '-1', '0.5', "'NaN'", "'Infinity'", "'-Infinity'", '1e30', '-1e30', '999999999999999999999999999999', '1e29',
           '1e131071', '-1e131071', '1e-16383', '0.000000000000000000000000000001', '1e400', '9223372036854775808', '-0']
TIMES = ["'infinity'", "'-infinity'", "'4713-01-01 00:00 BC'", "'294276-12-31 23:59:59.999999+00'", "'1970-01-01'", "'2000-01-01'", 'now()',
         "'0001-01-01 BC'", "'2026-02-28 23:59:60'", "'9999-12-31'"]
INTERVALS = ["'0'", "'-1 day'", "'1 month -31 days'", "'178000000 years'", "'-178000000 years'", "'0.000001 s'", "'2147483647 days'",
             "'-2147483648 days'", "'999 years'"]
PATHS = ['$', '$.customer == "ann"', '$.quantity > 1', 'strict $.no.such == 1', '$.**.x == 1', 'exists($.attributes.keyvalue())', '$.item like_regex "^(a+)+$"',
         '$.item like_regex "(a*)*(b*)*c" flag "ix"', '$.quantity / 0 == 1', '$x == 1', '$.placed_at.datetime() < "2020-01-01".datetime()', '@', '',
         '$.attributes.type() == "object"', '$.quantity.double() > 1e400', '$[*] == 1', '!($.a == 1) || ($.b starts with "x")', 'last', '$.value >= 1000', '$"', 'null', 'true']

KNOWN = {
    'item': ['a', 'b', 'c', 'short', 'limited', 'refused', 'manual'],
    'location': ['main', 'north', 'south'],
    'customer': ['ann', 'bob', 'gold'],
    'supplier': ['acme', 'zeta'],
    'order_id': [str(n) for n in range(1, 13)],
    'time_zone': ['UTC', 'Europe/Paris'],
    'default_location': ['main', 'north'],
}
for name in ('from_location', 'to_location'):
    KNOWN[name] = KNOWN['location']
for name in ('from_order', 'to_order'):
    KNOWN[name] = KNOWN['order_id']
SIZES = {'text': '50000', 'array': '10000'}


class Values:
    """Draws expressions of a type.  ledgers are names of schemas, relations what regclass may be."""

    def __init__(self, random, ledgers, relations):
        self.random = random
        self.ledgers = ledgers
        self.relations = relations

    def of(self, kind, name='', known=()):
        """An expression for a parameter or column: kind is the type's name, known are sensible texts."""
        r = self.random.random()
        if r < 0.06:
            return 'NULL'
        if r < 0.68:
            return self.sensible(kind, name, known)
        if r < 0.73:
            return self.wrong()
        return self.extreme(kind)

    def sensible(self, kind, name='', known=()):
        pick = self.random.choice
        known = list(known) or KNOWN.get(name, ())
        if name in ('ledger', 'schema') and kind in ('name', 'text'):
            return quote(pick(self.ledgers))
        if known and kind in ('text', 'name', 'character varying'):
            return quote(pick(known))
        if kind in ('text', 'name', 'character varying'):
            return quote(pick(['x', 'y', 'R-1']))
        if kind == 'numeric':
            return pick(['1', '2', '3', '5', '10', '0.5', '1.25', '100'])
        if kind in ('bigint', 'integer', 'smallint'):
            return str(self.random.randint(1, 12 if name != 'line_no' else 3))
        if kind in ('timestamp with time zone', 'timestamp without time zone'):
            return "'2026-01-%02d %02d:00'" % (self.random.randint(1, 28), self.random.randint(0, 23))
        if kind == 'date':
            return "'2026-01-%02d'" % self.random.randint(1, 28)
        if kind == 'interval':
            return pick(["'1 day'", "'14 days'", "'0'", "'3 hours'"])
        if kind == 'boolean':
            return pick(['true', 'false'])
        if kind in ('jsonb', 'json'):
            return quote(pick(LINES) if name == 'lines' else pick(['{}', '{"segment": "gold"}', '{"a": {"b": [1, 2]}}']))
        if kind == 'jsonpath':
            return quote(pick(['$.customer == "ann"', '$.quantity > 1', '$.attributes.segment == "gold"']))
        if kind == 'regclass':
            return quote(pick(self.relations))
        if kind == 'oid':
            return pick([quote(pick(self.ledgers)) + '::regnamespace'])
        if kind.endswith('[]'):
            return pick(["'{0,0}'", "'{1,2}'", "'{0,0,0}'", "'{5,3,2}'"]) if kind != 'text[]' else "'{a,b}'"
        return self.extreme(kind)

    def wrong(self):
        return self.random.choice(["'x'::text", '1', 'true', "'{}'::jsonb", 'ARRAY[1,2]', "ROW(1, 'a')", 'now()', "'x'", '(SELECT 1)', "B'101'",
                                   "'\\x00'::bytea", "NULL::integer[]", "'(1,2)'::point", '(SELECT array_agg(g) FROM generate_series(1, 3000) AS g)'])

    def extreme(self, kind):
        pick = self.random.choice
        if kind in ('text', 'name', 'character varying', '"char"'):
            return pick([quote(pick(TEXTS)), pick(EXTREME_TEXTS)])
        if kind == 'numeric':
            return pick(NUMBERS)
        if kind == 'double precision':
            return pick(["'NaN'", "'Infinity'", '1e308', '-1e308', '0', '1e-308'])
        if kind in ('bigint', 'integer', 'smallint', 'xid8'):
            top = {'bigint': 63, 'integer': 31, 'smallint': 15, 'xid8': 64}[kind]
            return pick(['0', '-1', str(2 ** top - 1), "'-%d'" % 2 ** top, str(2 ** top - 2)]) if kind != 'xid8' else pick(["'0'", "'18446744073709551615'", "'3'"])
        if kind.startswith('timestamp') or kind == 'date':
            return pick(TIMES)
        if kind == 'interval':
            return pick(INTERVALS)
        if kind == 'boolean':
            return pick(['true', 'false', "'t'", "'maybe'"])
        if kind in ('jsonb', 'json'):
            return pick([
                lambda: quote(pick(BAD_LINES)),
                lambda: "(repeat('[', %d) || repeat(']', %d))::jsonb" % (DEEP, DEEP),
                lambda: "(repeat('{\"a\":', %d) || '1' || repeat('}', %d))::jsonb" % (DEEP, DEEP),
                lambda: "(SELECT jsonb_agg(jsonb_build_object('item', 'b', 'quantity', g)) FROM generate_series(1, %d) AS g)" % pick([100, 1000]),
                lambda: "(SELECT jsonb_object_agg(g, g) FROM generate_series(1, 5000) AS g)",
                lambda: "jsonb_build_object('x', repeat('y', 100000))",
                lambda: "'{\"a\": 1e131071}'",
            ])()
        if kind == 'jsonpath':
            return pick([lambda: quote(pick(PATHS)), lambda: "('$' || repeat('.a', 3000) || ' == 1')::jsonpath",
                         lambda: "('$.a == 1' || repeat(' || $.a == 1', 500))::jsonpath",
                         lambda: "(repeat('(', 300) || '$.a == 1' || repeat(')', 300))::jsonpath"])()
        if kind in ('oid', 'regclass', 'regnamespace', 'regproc', 'regtype'):
            return pick(['0', '1', '4294967295', "'pg_class'::regclass", "'pg_catalog'::regnamespace", '2147483648', "'pg_toast.pg_toast_1255'::regclass",
                         "'information_schema.tables'::regclass", '1259', "'gone'"])
        if kind.endswith('[]'):
            text = kind == 'text[]'
            return pick(["'{}'", "'{NULL}'", "'{NULL,NULL,NULL}'", "'{{1,2},{3,4}}'", "'[-5:-4]={1,2}'", "'[2147483646:2147483647]={1,2}'", "'{1}'", "'{1,2,3,4}'"] +
                        ([] if text else ["'{-1,-1,-1}'", "'{9223372036854775807,9223372036854775807,9223372036854775807}'", "'{NaN,Infinity}'",
                                          '(SELECT array_agg(g) FROM generate_series(1, 10000) AS g)', "array_fill(NULL::integer, ARRAY[2000])"]))
        return pick(['NULL', "'x'", '0'])


def join(*parts):
    """Texts and bytes as one statement: what is not valid UTF-8 must reach the server."""
    return b''.join(part if isinstance(part, bytes) else part.encode('utf-8') for part in parts)


def comma(parts):
    return b', '.join(join(part) for part in parts)
