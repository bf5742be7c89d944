#!/usr/bin/python3
"""Prints the e-mails that a shop would send, from the journal of a ledger.

    mailer.py [--ledger shop] [--position FILE] [--once]

Connects as libpq does (PGHOST, PGDATABASE, ...); needs SELECT on journal and
order_line. The position, the journal_id of the last row dealt with, is kept in a
file that is written after the e-mails: a crash in between repeats some, loses none.
Where backorder.notify is on it hears of news at once, otherwise every minute.
"""
import argparse
import itertools
import os
import select

import psycopg2
from psycopg2 import sql

SUBJECT = {'received': 'Your order {}: we have it, and are waiting for goods',
           'moved': 'Your order {}: the date has moved',
           'shipped': 'Your order {} is on its way',
           'cancelled': 'Your order {}: cancelled'}
NEWS = """SELECT j.journal_id, j.transaction_id::text, j.order_id, l.customer, j.item, j.quantity,
    CASE WHEN j.kind = 'backordered' AND j.cause = 'entry' THEN 'received'
        WHEN j.kind = 'promised' THEN 'moved'
        WHEN j.kind = 'shipped' THEN 'shipped'
        WHEN j.kind IN ('cancelled', 'released', 'changed') AND j.cause IN ('cancel', 'on_short') THEN 'cancelled' END,
    j.promised_at::date, j.former_promised_at::date, j.reason
FROM {ledger}.journal_since(%s, 500) AS j LEFT JOIN {ledger}.order_line AS l USING (order_id, line_no)
ORDER BY j.journal_id"""


def sentence(what, item, quantity, date, former, reason):
    goods = '%s x %s' % (quantity, item)
    if what == 'received':
        return '%s: expected on %s.' % (goods, date) if date else '%s: we do not know yet when it comes.' % goods
    if what == 'moved':
        return '%s: now expected on %s%s. You may wait, or cancel.' % (
            goods, date or 'a date we do not know yet', ', not on %s' % former if former else '')
    return '%s%s.' % (goods, ', because: %s' % reason if what == 'cancelled' and reason else '')


def send(rows):
    """One e-mail for what one transaction did to one order."""
    told = sorted((row for row in rows if row[6]), key=lambda row: (row[1], row[2], row[6]))
    for (_, order, what), lines in itertools.groupby(told, key=lambda row: (row[1], row[2], row[6])):
        lines = sorted(lines)
        print('To: %s\nSubject: %s\n' % (lines[0][3] or 'customer', SUBJECT[what].format(order)))
        print('\n'.join(sentence(what, *row[4:6], *row[7:]) for row in lines) + '\n', flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--ledger', default='shop')
    parser.add_argument('--position', default='mailer.position')
    parser.add_argument('--once', action='store_true')
    options = parser.parse_args()
    position = int(open(options.position).read()) if os.path.exists(options.position) else 0
    connection = psycopg2.connect('')
    connection.autocommit = True
    cursor = connection.cursor()
    cursor.execute('LISTEN backorder')
    query = sql.SQL(NEWS).format(ledger=sql.Identifier(options.ledger))
    while True:
        cursor.execute(query, (position,))
        rows = cursor.fetchall()
        if rows:
            send(rows)
            position = rows[-1][0]
            with open(options.position + '.new', 'w') as file:
                file.write(str(position))
            os.replace(options.position + '.new', options.position)
        elif options.once:
            break
        else:
            select.select([connection], [], [], 60)
            connection.poll()
            connection.notifies.clear()


if __name__ == '__main__':
    main()
