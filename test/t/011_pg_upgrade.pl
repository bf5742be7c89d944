# pg_upgrade brings a ledger to a newer major as it is.  It takes two of them on
# this machine (./run test --pg MAJOR provides two): run names the older one.
use strict;
use warnings;

use FindBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

use lib "$FindBin::RealBin/../lib", "$FindBin::RealBin/../model";
use BackorderTest;
use Load;

# its major, the directory above its bin, settings for its servers to find the extension
my ($old_major, $old_path, $old_settings) = split /:/, $ENV{BACKORDER_OLDER} // '';
if (!defined $old_settings)
{
	plan skip_all => 'it takes an older PostgreSQL beside this one';
}

# Checksums are the default since 18, and must agree.
my $old = PostgreSQL::Test::Cluster->new('old', install_path => $old_path);
{
	local $ENV{TEMP_CONFIG} = $old_settings;
	$old->init(extra => ['--data-checksums']);
}
$old->append_conf('postgresql.conf', "max_prepared_transactions = 5\ndeadlock_timeout = 100ms\ntimezone = 'UTC'\n");
$old->start;
$old->safe_psql('postgres', 'CREATE ROLE merchant LOGIN CREATEDB');
make_store($old);

my $load = Load->new(node => $old, seed => 12, sessions => 3);
sql($old, $load->prepare);
$load->start;
sleep 1.5;
$load->stop;
is(join("\n", $load->disagreements), '', "there is a ledger in PostgreSQL $old_major");
no_disagreement($old, 'shop', 'and check_ledger finds nothing');
my $rows = rows($old);
my $figures = figures($old);
$old->stop;

my $new = PostgreSQL::Test::Cluster->new('new');
$new->init(extra => ['--data-checksums']);
$new->append_conf('postgresql.conf', "max_prepared_transactions = 5\ndeadlock_timeout = 100ms\ntimezone = 'UTC'\n");
my @upgrade = ('pg_upgrade', '--no-sync', '-U', superuser(),
	'-d', $old->data_dir, '-D', $new->data_dir, '-b', "$old_path/bin", '-B', $new->config_data('--bindir'),
	'-s', $new->host, '-p', $old->port, '-P', $new->port);
chdir PostgreSQL::Test::Utils::tempdir();
$new->command_ok([ @upgrade, '--check' ], 'pg_upgrade --check');
$new->command_ok(\@upgrade, 'pg_upgrade');
$new->start;

is(rows($new), $rows, 'every row is as it was');
is(figures($new), $figures, 'figures are as they were');
no_disagreement($new, 'shop', 'check_ledger finds nothing');
is(sql($new, 'SELECT schema, healthy_triggers FROM backorder.ledger'), 'shop|t', 'all triggers are there');
$load->{node} = $new;
$load->start;
sleep 1.5;
$load->stop;
is(join("\n", $load->disagreements), '', 'orders and deliveries go on');
no_disagreement($new, 'shop', 'and check_ledger finds nothing');
sql($new, "SELECT backorder.upgrade_ledger('shop')");
no_disagreement($new, 'shop', 'nor after upgrade_ledger');
note $load->report;
$new->stop;
done_testing();

sub superuser { return scalar getpwuid $< }

sub rows
{
	my ($node) = @_;
	return join "\n", map {
		"$_:\n" . $node->safe_psql('store', "SET timezone = 'UTC'; COPY (SELECT * FROM shop.$_ AS t ORDER BY t::text COLLATE \"C\") TO stdout")
	} qw(ledger location item order_line stock_move inbound priority_rule stock_slot backorder journal);
}

sub figures
{
	my ($node) = @_;
	return sql($node, 'SELECT shop.fill_rate(), shop.line_fill_rate(), shop.order_fill_rate(), shop.backorder_rate(), shop.backorder_fill_rate(), shop.average_backorder_duration(), shop.average_days_on_backorder()');
}
