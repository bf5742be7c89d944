# run_clocks() and release_due() from pg_cron, as doc/operations.md says. Debian's
# package postgresql-NN-cron brings it; BACKORDER_PG_CRON=DIR names a directory where
# that package was unpacked instead of installed (dpkg -x).
use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::RealBin/../lib";
use BackorderTest;
use PostgreSQL::Test::Utils;

my ($sharedir, $libdir) = map { chomp(my $dir = `pg_config --$_`); $dir } qw(sharedir pkglibdir);
my $unpacked = $ENV{BACKORDER_PG_CRON} // '';
plan skip_all => 'pg_cron is not installed (Debian: postgresql-NN-cron)'
  unless -e "$sharedir/extension/pg_cron.control" || -e glob("$unpacked/usr/share/postgresql/*/extension/pg_cron.control") // '';

# A copy beside our own files, where this server looks.
if (!-e "$sharedir/extension/pg_cron.control")
{
	my ($destination) = slurp_file($ENV{TEMP_CONFIG}) =~ /extension_destdir = '(.*)'/
	  or plan skip_all => 'an unpacked pg_cron needs a server with extension_destdir';
	system_or_bail('cp', glob("$unpacked/usr/share/postgresql/*/extension/pg_cron*"), "$destination$sharedir/extension");
	system_or_bail('cp', glob("$unpacked/usr/lib/postgresql/*/lib/pg_cron.so"), "$destination$libdir");
}

my $node = start_node('cron', "shared_preload_libraries = 'pg_cron'", "cron.database_name = 'store'", 'cron.use_background_workers = on');
$node->safe_psql('store', 'CREATE EXTENSION pg_cron; GRANT USAGE ON SCHEMA cron TO merchant');
sql($node, q{
	SELECT backorder.create_ledger('shop', 'UTC');
	SET search_path = shop;
	INSERT INTO delay_policy (name, jurisdiction, condition, allowed_days, auto_cancel) VALUES ('ours', 'here', '1 == 1', 30, true);
	INSERT INTO item (item, longest_wait, escalation) VALUES ('lamp', '10 days', 5);
	INSERT INTO order_line (order_id, line_no, item, quantity, placed_at) VALUES
		('late', 1, 'lamp', 1, now() - interval '40 days'), ('long', 1, 'lamp', 1, now() - interval '20 days'), ('new', 1, 'lamp', 1, now());
	INSERT INTO order_line (order_id, line_no, item, quantity, not_before) VALUES ('held', 1, 'lamp', 1, clock_timestamp() + interval '1 second');
});
my ($recipe) = slurp_file("$FindBin::RealBin/../../doc/operations.md") =~ /^```sql\n(SELECT cron\.schedule.*?)^```/ms;
ok($recipe, 'doc/operations.md has a recipe');
sql($node, $recipe);

ok($node->poll_query_until('store', 'SELECT count(*) = 1 FROM shop.clock_run'), 'pg_cron has called run_clocks() within a minute or two');
is(sql($node, q{SELECT cancelled, cancel_reason FROM shop.order_line WHERE order_id = 'late'}), '1|no notice of delay in time (ours)', 'what is late is cancelled');
is(sql($node, q{SELECT order_id, priority FROM shop.escalated}), 'long|5', 'what has waited too long is escalated');
ok($node->poll_query_until('store', q{SELECT NOT on_hold FROM shop.order_line WHERE order_id = 'held'}), 'and release_due() has let go what was held');
is(sql($node, q{SELECT DISTINCT status FROM cron.job_run_details WHERE status <> 'running'}, user => 'postgres'), 'succeeded', 'no call has failed')
  or diag(sql($node, 'SELECT * FROM cron.job_run_details', user => 'postgres'));
no_disagreement($node, 'shop', 'nothing to complain of');

# By many at once, beside people who work on the same lines: each is done once.
sql($node, q{
	INSERT INTO shop.order_line (order_id, line_no, item, quantity, placed_at)
	SELECT 'many ' || n, 1, 'lamp', 1, now() - interval '40 days' FROM generate_series(1, 200) AS n;
	INSERT INTO shop.order_line (order_id, line_no, item, quantity, placed_at)
	SELECT 'wait ' || n, 1, 'lamp', 1, now() - interval '15 days' FROM generate_series(1, 200) AS n});
my @callers = map { session($node) } 1 .. 6;
my $clerk = session($node);
$clerk->query_safe(q{BEGIN; SELECT FROM shop.order_line WHERE order_id = 'many 7' FOR UPDATE});
start_query($_, 'CALL shop.run_clocks()') foreach @callers;
is(join('', map { finish_query($_) } @callers), '', 'six calls at once, without an error');
is(sql($node, q{SELECT order_id FROM shop.auto_cancel_due()}), 'many 7', 'a line that somebody is working on is left alone');
$clerk->query_safe('COMMIT');
$clerk->quit;
$_->quit foreach @callers;
sql($node, 'CALL shop.run_clocks()');
is(sql($node, q{SELECT count(*), count(DISTINCT order_id) FROM shop.journal WHERE kind = 'cancelled' AND order_id LIKE 'many %'}), '200|200', 'each is cancelled once');
is(sql($node, q{SELECT count(*), count(DISTINCT backorder_id) FROM shop.journal WHERE kind = 'escalated' AND order_id LIKE 'wait %'}), '200|200', 'each is escalated once');
no_disagreement($node, 'shop', 'nothing to complain of');
$node->stop;
done_testing();
