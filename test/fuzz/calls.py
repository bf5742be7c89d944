"""Calls of every function there is, in the extension's schema and in a ledger, as its owner, as a clerk and as a stranger."""
from values import comma, join

# Functions that take too long to be called as often as the others, or make the ledger another one.
RARELY = {'create_ledger', 'upgrade_ledger', 'empty_ledger', 'rebuild_ledger', 'check_ledger'}


def catalogue(fuzzer):
    """Every function of ours: kind, schema, name, and names, types and number of defaults of what it takes."""
    found = fuzzer.must('merchant', '''
        SELECT p.prokind, p.oid::regproc::text, p.proname, p.proretset, p.pronargdefaults,
            ARRAY(SELECT coalesce(p.proargnames[n], '') FROM generate_series(1, p.pronargs) AS n),
            ARRAY(SELECT format_type(t, NULL) FROM unnest(p.proargtypes::oid[]) WITH ORDINALITY AS a (t, n) ORDER BY n)
        FROM pg_proc AS p
        WHERE p.pronamespace IN ('backorder'::regnamespace, '%s'::regnamespace) AND p.prorettype <> 'trigger'::regtype
        ORDER BY p.pronamespace::regnamespace::text = 'backorder', p.proname, p.oid::regprocedure::text''' % fuzzer.ledger)
    qualified = []
    for kind, name, bare, is_set, defaults, names, types in found:
        # regproc leaves the schema out where the path has it
        if '.' not in name:
            name = fuzzer.ledger + '.' + name
        qualified.append((kind, name, bare, is_set, defaults, names, types))
    return qualified


def arguments(fuzzer, defaults, names, types):
    """Positional up to a point, then by name; defaulted ones often left out."""
    optional = len(types) - defaults
    out, named = [], False
    for n, (name, kind) in enumerate(zip(names, types)):
        if n >= optional and fuzzer.random.random() < 0.4:
            named = True
            continue
        value = fuzzer.values.of(kind, name)
        if named and name:
            value = join(name, ' => ', value)
        elif named:
            break
        out.append(value)
    return comma(out)


def call(fuzzer):
    r = fuzzer.random
    kind, name, bare, is_set, defaults, names, types = r.choice(fuzzer.functions)
    if bare in RARELY and r.random() < 0.85:
        return None
    given = arguments(fuzzer, defaults, names, types)
    if kind == 'p':
        return join('CALL ', name, '(', given, ')')
    if kind == 'a':
        aliases = ['x%d' % n for n in range(len(types))]
        rows = b', '.join(join('(', comma(join('(', fuzzer.values.of(t, n), ')::', t) for n, t in zip(names, types)), ')') for _ in range(r.randint(1, 4)))
        inside = ', '.join(aliases)
        shape = r.choice(['%s(%s)', '%s(DISTINCT %s)', '%s(%s) FILTER (WHERE true)', '%s(%s) OVER (ORDER BY x0 ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)', '%s(%s ORDER BY 1)'])
        return join('SELECT ', shape % (name, inside), ' FROM (VALUES ', rows, ') AS v (', inside, ')')
    expression = join(name, '(', given, ')')
    return r.choice([
        lambda: join('SELECT ', expression),
        lambda: join('SELECT * FROM ', expression),
        lambda: join('SELECT * FROM ', expression),
        lambda: join('SELECT * FROM ', expression, ' AS f LIMIT 1'),
        lambda: join('SELECT g, f FROM generate_series(1, 3) AS g, LATERAL ', expression, ' AS f'),
        lambda: join('SELECT ', expression, ' FROM location'),
        lambda: join('SELECT * FROM item WHERE (SELECT count(*) FROM ', expression, ' AS f) > 0'),
        lambda: join('EXPLAIN (ANALYZE, VERBOSE, BUFFERS) SELECT * FROM ', expression, ' AS f'),
        lambda: join('WITH f AS MATERIALIZED (SELECT * FROM ', expression, ' AS f) SELECT count(*) FROM f, f AS other'),
        lambda: join('DO $do$ BEGIN PERFORM ', expression, '; EXCEPTION WHEN OTHERS THEN PERFORM 1; END $do$'),
        lambda: join('INSERT INTO location (location) SELECT left(f::text, 20) FROM ', expression, ' AS f ON CONFLICT DO NOTHING'),
    ])()


def one_round(fuzzer):
    """A few calls by one role, each by itself or all in one transaction."""
    r = fuzzer.random
    role = r.choice(['merchant', 'merchant', 'merchant', 'clerk', 'stranger'])
    if r.random() < 0.3:
        level = r.choice(['READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE', 'READ COMMITTED READ ONLY'])
        fuzzer.send(role, 'BEGIN ISOLATION LEVEL ' + level)
        for n in range(r.randint(1, 5)):
            fuzzer.send(role, 'SAVEPOINT s')
            statement = call(fuzzer)
            if statement and fuzzer.send(role, statement) != '00000':
                fuzzer.send(role, 'ROLLBACK TO s')
        fuzzer.send(role, r.choice(['COMMIT', 'ROLLBACK']))
        return
    statement = call(fuzzer)
    if statement:
        fuzzer.send(role, statement)


def run(fuzzer):
    def with_functions():
        if fuzzer.catalogued != fuzzer.ledger:
            fuzzer.functions = catalogue(fuzzer)
            fuzzer.catalogued = fuzzer.ledger
        one_round(fuzzer)
    fuzzer.catalogued = None
    fuzzer.rounds(with_functions)
