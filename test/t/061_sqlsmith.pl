# SQLsmith, which writes statements from the grammar and the catalogs, let loose on a ledger as its owner.
#
# BACKORDER_SQLSMITH_SECONDS (15) is how long, BACKORDER_SQLSMITH_SEED (1) where chance begins.
use strict;
use warnings;

use BackorderTest;
use PostgreSQL::Test::Utils;
use Test::More;

my ($sqlsmith) = grep { -x } map { "$_/sqlsmith" } split /:/, $ENV{PATH};
plan skip_all => 'sqlsmith is not installed (Debian: sqlsmith)' unless $sqlsmith;

my $seconds = $ENV{BACKORDER_SQLSMITH_SECONDS} || 15;
my $seed = $ENV{BACKORDER_SQLSMITH_SEED} || 1;

my $node = start_node('sqlsmith', "log_line_prefix = '%m [%p] state %e '", "log_min_messages = warning");
sql($node, <<'END');
SELECT backorder.create_ledger('shop', 'UTC');
SET search_path = shop;
INSERT INTO location (location) VALUES ('north');
INSERT INTO item (item, lead_time) SELECT 'item ' || n, '14 days' FROM generate_series(1, 20) AS n;
INSERT INTO stock_move (item, location, quantity) SELECT item, 'main', 10 FROM item WHERE item > 'item 15';
INSERT INTO order_line (order_id, line_no, item, quantity, customer) SELECT o, l, 'item ' || 1 + (o + l) % 20, o, 'c' || o % 3 FROM generate_series(1, 30) AS o, generate_series(1, 2) AS l;
INSERT INTO inbound (item, quantity, expected_at) SELECT item, 5, '2030-01-01' FROM item;
INSERT INTO priority_rule (name, condition, priority) VALUES ('gold', '$.customer == "c1"', 1);
END
# What it calls may take long (generate_series of everything), and may call itself.
$node->safe_psql('postgres', $_)
  for "ALTER ROLE merchant SET statement_timeout = '1s'", 'ALTER ROLE merchant SET search_path = shop, backorder, pg_catalog',
	"ALTER ROLE merchant SET default_transaction_isolation = 'read committed'";

my $target = $node->connstr('store') . ' user=merchant';
my $until = time + $seconds;
my $output = '';
# It ends when a connection breaks; so does the test, below.  Reading the catalogs may take it long on a busy machine.
for my $turn (0 .. 999)
{
	my $left = $until - time;
	last if $left <= 0 && $output =~ /queries: [1-9]/;
	last if $left <= -120;
	my ($out, $err) = ('', '');
	IPC::Run::run([ 'timeout', '-s', 'INT', $left < 10 ? 10 : $left, $sqlsmith, "--target=$target", '--exclude-catalog', '--verbose',
			'--seed=' . ($seed + $turn), ($left < 10 ? '--max-queries=50' : ()) ], '>', \$out, '2>', \$err);
	$output .= $err;
}
$node->safe_psql('postgres', "ALTER ROLE merchant RESET ALL");

my $log = slurp_file($node->logfile);
my $errors = () = $log =~ /state \w{5} ERROR:/g;
# PostgreSQL's own functions and casts have internal errors, too; these need no ledger.
my $not_ours = join '|', 'failed to find conversion function from unknown to', 'invalid INTERVAL typmod', 'unrecognized interval typmod';
my %internal;
$internal{$1}++ while $log =~ /state XX\w{3} (?:ERROR|FATAL|PANIC): ++(?!$not_ours)(.*)/g;
like($output, qr/queries: [1-9]/, 'SQLsmith wrote statements');
is(join("\n", sort keys %internal), '', 'no internal error');
unlike($log, qr/TRAP: |PANIC: |terminated by signal/, 'no crash');
is($node->safe_psql('postgres', 'SELECT 1'), '1', 'the server is there');
sql($node, "SELECT * FROM shop.kpi, shop.stock, shop.shortage LIMIT 1");
no_disagreement($node, 'shop', 'the ledger is right');
my ($statements) = $output =~ /queries: (\d+)/ ? ($output =~ /queries: (\d+)/g)[-1] : ();
diag("SQLsmith: $seconds s, seeds from $seed, " . ($statements // 'some') . " statements, $errors of them errors");
$node->stop;
done_testing();
