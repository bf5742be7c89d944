# A ledger is found from its tables, not by its name: renaming it, exchanging
# names with another one and giving it to another owner go unnoticed in sessions
# that are open.  Ledgers side by side do not know of each other, and rows
# survive the extension.
use strict;
use warnings;

use BackorderTest;
use Test::More;

my $node = start_node('rename');

sub superuser { return $node->safe_psql('store', $_[0]); }

sub order
{
	my ($ledger, $id, $quantity) = @_;
	return "INSERT INTO $ledger.order_line_status (order_id, line_no, item, quantity)"
	  . " VALUES ('$id', 1, 'A', $quantity) RETURNING allocated, backordered";
}

sub receipt
{
	my ($ledger, $quantity) = @_;
	return "INSERT INTO $ledger.stock_move (item, quantity) VALUES ('A', $quantity)";
}

sub stock
{
	my ($ledger) = @_;
	return superuser("SELECT on_hand, allocated, available, backordered FROM $ledger.stock WHERE item = 'A'");
}

foreach my $ledger ('shop', 'market')
{
	sql($node, qq{
		SELECT backorder.create_ledger('$ledger');
		INSERT INTO $ledger.item (item) VALUES ('A');
		GRANT USAGE ON SCHEMA $ledger TO clerk;
		GRANT SELECT, INSERT ON $ledger.order_line, $ledger.order_line_status, $ledger.stock_move TO clerk;
		GRANT SELECT ON $ledger.item, $ledger.backorder TO clerk;
	});
}

# Both sessions have used both ledgers: whatever they keep, they have it now.
my $merchant = session($node);
my $clerk = session($node, user => 'clerk');
is($merchant->query_safe(order('shop', 'm1', 2)), '0|2', 'a short order in one ledger');
$merchant->query_safe(receipt('shop', 5));
is($clerk->query_safe(order('shop', 'c1', 4)), '3|1', 'a clerk\'s order');
$clerk->query_safe(receipt('shop', 4));
is(stock('shop'), '9|6|3|0', 'stock of the one');
is($merchant->query_safe(order('market', 'm1', 3)), '0|3', 'the other ledger knows nothing of it');
$merchant->query_safe(receipt('market', 10));
is($clerk->query_safe(order('market', 'c1', 1)), '1|0', 'a clerk\'s order there');
is(stock('market'), '10|4|6|0', 'stock of the other');

# A new name.
sql($node, 'ALTER SCHEMA shop RENAME TO store');
is($merchant->query_safe(order('store', 'm2', 2)), '2|0', 'in stock, under the new name');
is($clerk->query_safe(order('store', 'c2', 3)), '1|2', 'short, under the new name');
$clerk->query_safe(receipt('store', 2));
is($merchant->query_safe("SELECT shipped FROM store.order_line WHERE order_id = 'm2'"), '0', 'nothing shipped yet');
$merchant->query_safe("SELECT store.ship('m2')");
is($merchant->query_safe("SELECT shipped FROM store.order_line WHERE order_id = 'm2'"), '2', 'the ledger\'s functions go with it');
like($merchant->query_safe('SELECT count(*) FROM store.history'), qr/^[1-9]/, 'and so do its views');
is(stock('store'), '9|9|0|0', 'stock after the new name');
no_disagreement($node, 'store', 'nothing to complain of after the new name');

# The old name for another ledger.
sql($node, 'ALTER SCHEMA market RENAME TO shop');
is($merchant->query_safe(order('shop', 'm3', 7)), '6|1', 'the name now means the other ledger');
$clerk->query_safe(receipt('shop', 2));
is(stock('shop'), '12|11|1|0', 'its stock');
is(stock('store'), '9|9|0|0', 'the first ledger has not moved');
no_disagreement($node, $_, "nothing to complain of in $_") foreach 'shop', 'store';
is(sql($node, 'SELECT schema FROM backorder.ledger ORDER BY 1'), "shop\nstore", 'backorder.ledger knows the new names');

# Another owner of the schema, then of all that is in it.
superuser('CREATE ROLE keeper LOGIN; GRANT CREATE ON DATABASE store TO keeper');
superuser('ALTER SCHEMA store OWNER TO keeper');
is(superuser(receipt('store', 3)), '', 'a receipt after the schema has a new owner');
is($clerk->query(order('store', 'c4', 2)), '2|0', 'an order in stock in an open session');
is($clerk->query(order('store', 'c5', 2)), '1|1', 'a short one');
is(superuser("SELECT * FROM backorder.check_ledger('store')"), '', 'nothing to complain of');

superuser('REASSIGN OWNED BY merchant TO keeper');
is(superuser("SELECT owner FROM backorder.ledger WHERE schema = 'store'"), 'keeper', 'backorder.ledger knows the new owner');
is($clerk->query(order('store', 'c6', 2)), '0|2', 'a short order after everything has a new owner');
$clerk->query_safe(receipt('store', 4));
is($clerk->query(order('store', 'c7', 2)), '1|1', 'another one');
my $keeper = session($node, user => 'keeper');
is($keeper->query_safe(order('store', 'k1', 1)), '0|1', 'the new owner places an order');
$keeper->query_safe(receipt('store', 9));
like(sql_error($node, order('store', 'm9', 1)), qr/42501/, 'the former owner may not any more');
no_disagreement($node, 'store', 'nothing to complain of', user => 'keeper');
$_->quit foreach $merchant, $clerk, $keeper;

# Removing a ledger is DROP SCHEMA.
superuser('SET client_min_messages = warning; DROP SCHEMA shop CASCADE');
is(superuser('SELECT schema FROM backorder.ledger'), 'store', 'DROP SCHEMA removes a ledger');
is(sql($node, order('store', 'k2', 1), user => 'keeper'), '1|0', 'the other one works as before');
no_disagreement($node, 'store', 'and has nothing to complain of', user => 'keeper');

# Without the extension the rows are ordinary rows.
sub rows
{
	my @tables = split /\n/, superuser(q{SELECT relname FROM pg_class WHERE relnamespace = 'store'::regnamespace AND relkind = 'r' ORDER BY 1});
	return join "\n", map { superuser(qq{SELECT '$_', count(*), md5(string_agg(t::text, chr(10) ORDER BY t::text)) FROM store."$_" AS t}) } @tables;
}

sub objects
{
	return superuser(q{
		SELECT 'relation ' || relname || ' ' || relkind::text || ' ' || coalesce(obj_description(oid, 'pg_class'), 'NO COMMENT')
		FROM pg_class WHERE relnamespace = 'store'::regnamespace AND relkind IN ('r', 'v')
		UNION ALL
		SELECT 'function ' || p.oid::regprocedure || ' ' || coalesce(obj_description(p.oid, 'pg_proc'), 'NO COMMENT')
		FROM pg_proc AS p WHERE pronamespace = 'store'::regnamespace
		UNION ALL
		SELECT 'trigger ' || pg_get_triggerdef(oid)
		FROM pg_trigger WHERE NOT tgisinternal AND tgrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'store'::regnamespace)
		ORDER BY 1});
}

my ($rows, $objects) = (rows(), objects());
my ($rc, $out, $err) = $node->psql('store', "\\set VERBOSITY verbose\nDROP EXTENSION backorder");
like($err, qr/2BP01/, 'DROP EXTENSION is refused while there is a ledger');
superuser('SET client_min_messages = warning; DROP EXTENSION backorder CASCADE');
is(rows(), $rows, 'DROP EXTENSION CASCADE keeps every row');
isnt(objects(), $objects, 'but takes the triggers');
superuser('CREATE EXTENSION backorder');
isnt(superuser("SELECT count(*) FROM backorder.check_ledger('store')"), '0', 'check_ledger says that triggers are missing');
superuser("SELECT backorder.upgrade_ledger('store')");
is(objects(), $objects, 'upgrade_ledger brings everything back');
is(rows(), $rows, 'and changes no row');
is(superuser("SELECT * FROM backorder.check_ledger('store')"), '', 'nothing to complain of');
is(sql($node, order('store', 'k3', 100), user => 'keeper') =~ /^\d+\|[1-9]/ ? 'short' : 'not short', 'short', 'a short order is flagged');
sql($node, receipt('store', 100), user => 'keeper');
is(superuser("SELECT backordered FROM store.order_line_status WHERE order_id = 'k3'"), '0', 'and filled');
no_disagreement($node, 'store', 'nothing to complain of at the end', user => 'keeper');

$node->stop;
done_testing();
