# Two versions of the extension on one server: what is here, and one that comes
# after it, made from a copy of this tree with a higher number (and whatever steps
# sql/upgrade has by then).
#
# A newer library goes on with the SQL objects and ledgers of the version before,
# or says what to do.  A ledger that was updated, one that was restored from a dump
# of the version before, and a new one consist of the same objects.
use strict;
use warnings;

use FindBin;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

use lib "$FindBin::RealBin/../lib", "$FindBin::RealBin/../model";
use BackorderTest;
use Load;
use Session;

my $source = "$FindBin::RealBin/../..";
plan skip_all => 'it takes the tree that ./run has built' unless -e "$source/backorder.so";

my $directory = PostgreSQL::Test::Utils::tempdir();
my ($this) = slurp_file("$source/backorder.control") =~ /^default_version = '(.*)'/m;
my $next = $this =~ s/(\d+)$/$1 + 1/er;

# Both are installed in one place, as on a user's machine.
my $settings = slurp_file($ENV{TEMP_CONFIG}) =~ s{'[^':]*/inst}{'$directory/inst}gr;
PostgreSQL::Test::Utils::append_to_file("$directory/settings", $settings);
$ENV{TEMP_CONFIG} = "$directory/settings";
system_or_bail('cp', '-a', $source, "$directory/source");
install();
my $node = start_node('versions', 'deadlock_timeout = 100ms');
my $load = Load->new(node => $node, seed => 2, sessions => 2);
sql($node, $load->prepare);
work("in version $this");
my $dump = "$directory/dump";
$node->command_ok([ 'pg_dump', '-Fc', '-f', $dump, '-d', $node->connstr('store') ], 'a dump of this version');
my $old_session = Session->new('-U', 'merchant', '-d', $node->connstr('store'));
$old_session->rows("SELECT * FROM backorder.check_ledger('shop');");    # has loaded the library

# The files of the next version.
my $control = slurp_file("$directory/source/backorder.control") =~ s/^default_version = .*/default_version = '$next'/mr;
unlink "$directory/source/backorder.control";
PostgreSQL::Test::Utils::append_to_file("$directory/source/backorder.control", $control);
mkdir "$directory/source/sql/upgrade";
PostgreSQL::Test::Utils::append_to_file("$directory/source/sql/upgrade/backorder--$this--$next.sql",
	qq{\\echo Use "ALTER EXTENSION backorder UPDATE" to load this file. \\quit\n});
install();

# The server was not restarted: sessions keep the library that they have.
is($old_session->run("INSERT INTO shop.order_line (order_id, line_no, item, quantity) VALUES ('kept', 1, 'item 1', 1);")->{state},
	'00000', 'a session goes on with the library it has');
$old_session->quit;
$node->restart;

# A newer library, the SQL objects and the ledger of the version before.
is(sql($node, 'SELECT backorder.version()'), $this, 'after a restart the SQL objects are as they were');
no_disagreement($node, 'shop', 'and check_ledger has nothing to say');
work('with the newer library');

# What the library asks for and the ledger lacks is named, and what to do about it.
sql($node, 'ALTER TABLE shop.journal RENAME reason TO reason_before');
like(sql_error($node, "INSERT INTO shop.order_line (order_id, line_no, item, quantity) VALUES ('lacking', 1, 'item 1', 1000000)"),
	qr/42703:.*HINT:  The ledger may be older than the installed library: ALTER EXTENSION backorder UPDATE, then SELECT backorder.upgrade_ledger\('shop'\)/s,
	'a ledger that lacks a column gives a clear error');
sql($node, 'ALTER TABLE shop.journal RENAME reason_before TO reason');

# Updated: first the extension, then the ledger.
sql($node, 'ALTER EXTENSION backorder UPDATE');
is(sql($node, 'SELECT backorder.version()'), $next, 'the extension is updated');
is(sql($node, "SELECT * FROM backorder.check_ledger('shop')"), "version|||||$next|$this", 'check_ledger says that the ledger is behind');
work('with a ledger that is behind');
sql($node, "SELECT backorder.upgrade_ledger('shop')");
no_disagreement($node, 'shop', 'after upgrade_ledger nothing is left to say');
work('in the updated ledger');

# Baseline: made by the next version.
make_store($node, 'baseline');
sql($node, $load->prepare, database => 'baseline');

# Restored: a dump of the version before.
$node->safe_psql('postgres', 'CREATE DATABASE restored OWNER merchant');
$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', $node->connstr('restored'), $dump ], "the dump of $this is restored in $next");
is(sql($node, "SELECT * FROM backorder.check_ledger('shop')", database => 'restored'), "version|||||$next|$this",
	'check_ledger says that the ledger is behind');
sql($node, "SELECT backorder.upgrade_ledger('shop')", database => 'restored');
no_disagreement($node, 'shop', 'after upgrade_ledger nothing is left to say', database => 'restored');

# Every version from which there is a step to this one.
my @updated = ('store', 'restored');
foreach my $version (split /\n/, sql($node, "SELECT source FROM pg_extension_update_paths('backorder') WHERE target = '$next' AND path IS NOT NULL"))
{
	my $database = 'from_' . $version =~ s/\W/_/gr;
	$node->safe_psql('postgres', "CREATE DATABASE $database OWNER merchant");
	sql($node, "CREATE EXTENSION backorder VERSION '$version'; " . $load->prepare
		  . "ALTER EXTENSION backorder UPDATE; SELECT backorder.upgrade_ledger('shop')", database => $database);
	push @updated, $database;
}
foreach my $database (@updated)
{
	is(objects($database), objects('baseline'), "$database: the extension's objects are those of a new one");
	is(ledger($database), ledger('baseline'), "$database: so is the ledger");
}

$node->stop;
done_testing();

sub install
{
	my @make = ('make', '-s', '--no-print-directory', '-C', "$directory/source", 'with_llvm=no', 'install', "DESTDIR=$directory/inst");
	my ($out, $err) = run_command([ @make, 'PG_CONFIG=' . $ENV{BACKORDER_PG_CONFIG} ]);
	note "$out\n$err";
	die "make install: $err" unless -d "$directory/inst";
	return;
}

sub work
{
	my ($when) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$load->start;
	sleep 0.5;
	$load->stop;
	is(join("\n", $load->disagreements), '', "orders and deliveries $when");
	return;
}

# The members of the extension and what they are.
sub objects
{
	my ($database) = @_;
	return $node->safe_psql($database, q{
		SELECT pg_describe_object(classid, objid, 0) AS name,
			CASE WHEN classid = 'pg_proc'::regclass AND EXISTS (SELECT FROM pg_proc WHERE oid = objid AND prokind <> 'a') THEN pg_get_functiondef(objid)
				WHEN classid = 'pg_class'::regclass THEN pg_get_viewdef(objid) END,
			obj_description(objid, classid::regclass::name),
			coalesce((SELECT proacl::text FROM pg_proc WHERE oid = objid AND classid = 'pg_proc'::regclass), (SELECT relacl::text FROM pg_class WHERE oid = objid AND classid = 'pg_class'::regclass))
		FROM pg_depend WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
			AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'backorder')
		ORDER BY 1});
}

sub ledger
{
	my ($database) = @_;
	my ($out) = run_command([ 'pg_dump', '--schema-only', '-n', 'shop', '-d', $node->connstr($database) ]);
	$out =~ s/^\\(un)?restrict .*$//mg;
	# PostgreSQL names the unnamed columns of a function's body when it reads it again
	$out =~ s{(BEGIN ATOMIC.*?^ *END;)}{$1 =~ s/ AS "?\w+"?(,?)$/$1/mgr}msge;
	return $out;
}
