# What the Perl tests share: a server with the roles of test/sql/setup.sql and
# a database "store" with the extension, and short ways to talk to it.
package BackorderTest;

use strict;
use warnings;

use Exporter 'import';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(start_node make_store sql sql_error session backend_pid
  start_query finish_query wait_until_blocked no_disagreement);

# A running server.  Settings are lines for postgresql.conf.
sub start_node
{
	my ($name, @settings) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	$node->init(allows_streaming => 1);
	$node->append_conf('postgresql.conf', join "\n",
		'max_prepared_transactions = 10', 'max_connections = 50', 'shared_buffers = 32MB',
		"timezone = 'UTC'", 'log_statement = none', @settings, '');
	$node->start;
	$node->safe_psql('postgres',
		'CREATE ROLE merchant LOGIN CREATEDB; CREATE ROLE clerk LOGIN; CREATE ROLE stranger LOGIN');
	make_store($node);
	return $node;
}

# The database "store" (or another name), owned by merchant, with the extension.
sub make_store
{
	my ($node, $database) = @_;
	$database //= 'store';
	$node->safe_psql('postgres', "CREATE DATABASE $database OWNER merchant");
	sql($node, 'CREATE EXTENSION backorder', database => $database);
	return;
}

sub connection
{
	my (%o) = @_;
	return ($o{database} // 'store', '-U', $o{user} // 'merchant');
}

# Runs SQL that must succeed; returns what psql -At prints.
sub sql
{
	my ($node, $text, %o) = @_;
	my ($database, @who) = connection(%o);
	return $node->safe_psql($database, $text, extra_params => [@who]);
}

# Runs SQL that must fail; returns the message with its SQLSTATE.
sub sql_error
{
	my ($node, $text, %o) = @_;
	my ($database, @who) = connection(%o);
	my ($rc, $out, $err) =
	  $node->psql($database, "\\set VERBOSITY verbose\n$text", extra_params => [@who]);
	return $rc ? $err : "no error: $out";
}

# A psql session that stays open: ->query, ->query_safe, ->query_until, ->quit.
sub session
{
	my ($node, %o) = @_;
	my ($database, @who) = connection(%o);
	return $node->background_psql($database, on_error_stop => 0, extra_params => [@who]);
}

# Sends a statement that will have to wait, and does not wait for its end.
sub start_query
{
	my ($session, $text) = @_;
	$session->query_until(qr/started/, "\\echo started\n$text;\n\\echo finished\n");
	return;
}

# Waits for its end; returns what it printed, errors included.
sub finish_query
{
	my ($session) = @_;
	my ($out) = $session->query('');
	$out =~ s/^.*?started\n//s;
	$out =~ s/\n?finished$//;
	my $error = $session->{stderr};
	$session->{stderr} = '';
	return $out . $error;
}

sub backend_pid
{
	my ($session) = @_;
	return $session->query_safe('SELECT pg_backend_pid()');
}

# Waits until the backend waits for a lock that another one holds (or a prepared
# transaction does: pg_blocking_pids then says 0).
sub wait_until_blocked
{
	my ($node, $pid) = @_;
	return $node->poll_query_until('postgres',
		"SELECT cardinality(pg_blocking_pids($pid)) > 0");
}

# check_ledger finds nothing.
sub no_disagreement
{
	my ($node, $ledger, $name, %o) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return is(sql($node, "SELECT * FROM backorder.check_ledger('$ledger')", %o), '', $name);
}

1;
