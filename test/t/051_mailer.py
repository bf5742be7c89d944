"""examples/mailer.py, end to end: what a shop's customers would read, each e-mail once."""
import os
import subprocess
import sys
import tempfile
import time

try:
    import psycopg2
except ImportError as missing:
    print('1..0 # SKIP %s (Debian: python3-psycopg2)' % missing)
    sys.exit(0)

MAILER = os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, 'examples', 'mailer.py')
directory = tempfile.mkdtemp()
count = 0


def equal(got, expected, name):
    global count
    count += 1
    print('%s %d - %s' % ('ok' if got == expected else 'not ok', count, name))
    if got != expected:
        print('#      got: %r\n# expected: %r' % (got, expected))


def mails(position='position'):
    """What a run prints: subjects and sentences, one e-mail a string."""
    out = subprocess.run([sys.executable, MAILER, '--once', '--position', os.path.join(directory, position)],
                         stdout=subprocess.PIPE, universal_newlines=True, check=True).stdout
    return [' / '.join(line for line in mail.split('\n') if line) for mail in ('\n' + out).split('\nTo: ')[1:]]


connection = psycopg2.connect('')
connection.autocommit = True
cursor = connection.cursor()


def do(text):
    cursor.execute(text)


do("SELECT backorder.create_ledger('shop', 'UTC')")
do("SET search_path = shop; SET timezone = 'UTC'")
do("INSERT INTO item (item, lead_time) VALUES ('lamp', NULL), ('desk', NULL), ('sofa', NULL)")
do("INSERT INTO inbound (item, quantity, expected_at, reference) VALUES ('lamp', 5, '2099-03-10 12:00', 'PO 1'), ('desk', 9, '2099-04-01 12:00', 'PO 2')")
do("SELECT receive('desk', 1)")
equal(mails(), [], 'no orders, no e-mails')

do("INSERT INTO order_line (order_id, line_no, item, quantity, customer) VALUES ('1', 1, 'lamp', 2, 'ann'), ('1', 2, 'desk', 1, 'ann'), ('1', 3, 'sofa', 1, 'ann'), ('2', 1, 'lamp', 3, 'bob')")
equal(mails(), ['ann / Subject: Your order 1: we have it, and are waiting for goods / 2 x lamp: expected on 2099-03-10. / 1 x sofa: we do not know yet when it comes.',
                'bob / Subject: Your order 2: we have it, and are waiting for goods / 3 x lamp: expected on 2099-03-10.'],
      'received: one e-mail an order, with dates; what is in stock needs none')
equal(mails(), [], 'nothing twice')

do("UPDATE inbound SET expected_at = '2099-05-05 12:00' WHERE reference = 'PO 1'")
equal(mails(), ['ann / Subject: Your order 1: the date has moved / 2 x lamp: now expected on 2099-05-05, not on 2099-03-10. You may wait, or cancel.',
                'bob / Subject: Your order 2: the date has moved / 3 x lamp: now expected on 2099-05-05, not on 2099-03-10. You may wait, or cancel.'],
      'a purchase order slips: everybody who waits for it is told')

do("SELECT cancel('2', reason => 'too late')")
do("SELECT receive('lamp', 2)")
do("SELECT ship('1')")
equal(mails(), ['bob / Subject: Your order 2: cancelled / 3 x lamp, because: too late.',
                'ann / Subject: Your order 1 is on its way / 1 x desk. / 2 x lamp.'], 'cancelled, and on its way')

# A transaction that commits late is told later, not never.
late = psycopg2.connect('')
late.cursor().execute("INSERT INTO shop.order_line (order_id, line_no, item, quantity, customer) VALUES ('3', 1, 'sofa', 1, 'cid')")
do("INSERT INTO order_line (order_id, line_no, item, quantity, customer) VALUES ('4', 1, 'sofa', 1, 'dan')")
equal(mails(), [], 'a transaction is under way')
late.commit()
equal([mail.split(' / ')[0] for mail in mails()], ['cid', 'dan'], 'and both are told when it has ended')
equal(len(mails('another position')), 8, 'another reader begins where it likes')

# Called by a notification.
running = subprocess.Popen([sys.executable, MAILER, '--position', os.path.join(directory, 'position')],
                           stdout=subprocess.PIPE, universal_newlines=True)
for _ in range(300):
    cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%journal_since%' AND state = 'idle' AND pid <> pg_backend_pid()")
    if cursor.fetchone()[0] > 0:
        break
    time.sleep(0.1)
do('SET backorder.notify = on')
began = time.time()
do("SELECT cancel('3')")
equal(running.stdout.readline(), 'To: cid\n', 'a notification wakes the reader')
equal(time.time() - began < 45, True, 'before its minute is over')
running.terminate()
running.wait()

do("SELECT * FROM backorder.check_ledger('shop')")
equal(cursor.fetchall(), [], 'check_ledger is empty')
print('1..%d' % count)
