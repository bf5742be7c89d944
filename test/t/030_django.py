"""An order through Django's ORM: what was ordered, what is backordered, in one query."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, 'django'))
sys.dont_write_bytecode = True
os.environ['DJANGO_SETTINGS_MODULE'] = 'settings'

try:
    import django
    import psycopg2  # noqa: F401
except ImportError as missing:
    print('1..0 # SKIP %s (Debian: python3-django, python3-psycopg2)' % missing)
    sys.exit(0)

django.setup()

from datetime import timedelta  # noqa: E402
from decimal import Decimal  # noqa: E402

from django.db import IntegrityError, connection, transaction  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402
from shop.models import Item, OrderLine, StockMove  # noqa: E402

count = 0


def equal(got, expected, name):
    global count
    count += 1
    print('%s %d - %s' % ('ok' if got == expected else 'not ok', count, name))
    if got != expected:
        print('#      got: %r\n# expected: %r' % (got, expected))


def queries():
    return CaptureQueriesContext(connection)


def error_of(action):
    try:
        with transaction.atomic():
            action()
    except IntegrityError as error:
        return error.__cause__.pgcode, error.__cause__.diag.constraint_name
    return None


with connection.cursor() as cursor:
    cursor.execute("SELECT backorder.create_ledger('shop')")

Item.objects.create(item='lamp', lead_time=timedelta(days=14))
Item.objects.create(item='bulb')
StockMove.objects.create(item='lamp', quantity=6)

# A new line, and what became of it, in one query.
with queries() as q:
    line = OrderLine(order_id='D-1', line_no=1, item='lamp', quantity=4, customer='ann')
    line.save()
    known = (line.allocated, line.backordered)
equal(len(q), 1, 'saving a new line is one query')
equal(known, (4, 0), 'which also says that all of it is allocated')
equal(line.placed_at is not None and line.expected_at == line.placed_at, True, 'and when it was placed: now, from stock')

with queries() as q:
    short = OrderLine.objects.create(order_id='D-1', line_no=2, item='lamp', quantity=5, customer='ann')
    known = (short.allocated, short.backordered, short.expected_at - short.placed_at)
equal(len(q), 1, 'a second line of the same order is one query')
equal(known, (2, 3, timedelta(days=14)), 'partly backordered, expected after the lead time')

# Saved again: every column is written, those of the ledger with what they were once.
StockMove.objects.create(item='lamp', quantity=1)
with queries() as q:
    short.save()
equal(len(q), 1, 'saving an unchanged line is one query')
equal(OrderLine.objects.filter(order_id='D-1').count(), 2, 'it makes no new line')
equal(short.backordered, 3, 'the object is as stale as before')
short.refresh_from_db()
equal((short.allocated, short.backordered), (3, 2), 'and the ledger does not believe it')
line.refresh_from_db()
equal((line.quantity, line.allocated), (4, 4), 'the other line of the order is as it was')

short.quantity = 8
short.save()
short.refresh_from_db()
equal((short.quantity, short.allocated, short.backordered), (8, 3, 5), 'a larger quantity waits')

# Many at once.
with queries() as q:
    lines = OrderLine.objects.bulk_create(
        [OrderLine(order_id='D-2', line_no=n, item=item, quantity=n) for n, item in enumerate(['bulb', 'lamp', 'bulb'], 1)])
equal(len([one for one in q if one['sql'].startswith('INSERT')]), 1, 'bulk_create is one INSERT')
equal([(one.allocated, one.backordered) for one in lines], [(0, 1), (0, 2), (0, 3)], 'and each line knows its state')

StockMove.objects.bulk_create([StockMove(item='bulb', quantity=2), StockMove(item='lamp', quantity=Decimal('0.5'))])
equal([(one.line_no, one.backordered) for one in OrderLine.objects.filter(backordered__gt=0).order_by('order_id', 'line_no')],
      [(2, Decimal('4.5')), (2, 2), (3, 2)], 'receipts are seen by a query')

# Errors are those that Django knows.
equal(error_of(lambda: OrderLine.objects.create(order_id='D-3', line_no=1, item='lmap', quantity=1)),
      ('23503', 'order_line_item_fkey'), 'an unknown item is an IntegrityError')
equal(error_of(lambda: OrderLine.objects.create(order_id='D-1', line_no=1, item='lamp', quantity=1)),
      ('23505', 'order_line_pkey'), 'so is a line that exists')
equal(error_of(lambda: OrderLine.objects.create(order_id='D-3', line_no=1, item='lamp', quantity=0)),
      ('23514', 'order_line_quantity_positive'), 'and a quantity of nothing')
equal(error_of(lambda: StockMove.objects.create(kind='adjustment', item='lamp', quantity=-100)),
      ('23B02', 'stock_on_hand'), 'and a loss of more than there is')
equal(OrderLine.objects.filter(order_id='D-3').exists(), False, 'none of these left anything behind')

with connection.cursor() as cursor:
    cursor.execute("SELECT * FROM backorder.check_ledger('shop')")
    equal(cursor.fetchall(), [], 'check_ledger is empty')

print('1..%d' % count)
