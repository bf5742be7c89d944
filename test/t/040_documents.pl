# What the documents say is true: the sessions of README, tutorial and concepts
# print what they show, the reference names all that there is and nothing else,
# and the recipes of doc/operations.md do what it says.
use strict;
use warnings;

use FindBin;
use IPC::Run ();
use Test::More;

use lib "$FindBin::RealBin/../lib";
use BackorderTest;
use PostgreSQL::Test::Utils;

my $top = "$FindBin::RealBin/../..";
my $node = start_node('documents');

# ---- reading documents

# The fenced blocks of a document: language, text, and the heading above it.
sub blocks
{
	my ($file) = @_;
	my (@blocks, $heading, $block);
	foreach my $line (split /^/, slurp_file("$top/$file"))
	{
		if ($line =~ /^```(\w*)$/)
		{
			push @blocks, $block if $block;
			$block = $block ? undef : { language => $1, heading => $heading, text => '' };
		}
		elsif ($block) { $block->{text} .= $line; }
		elsif ($line =~ /^#+ (.*)$/) { $heading = $1; }
	}
	return @blocks;
}

# The blocks of one language under one heading of doc/operations.md.
sub operations
{
	my ($heading, $language) = @_;
	my @found = map { $_->{text} }
	  grep { $_->{heading} eq $heading && $_->{language} eq ($language // 'sql') } blocks('doc/operations.md');
	die "doc/operations.md has no such block under \"$heading\"" unless @found;
	return wantarray ? @found : $found[0];
}

# The parts of doc/reference.md by heading.
my %part;
{
	my $heading = '';
	foreach my $line (split /^/, slurp_file("$top/doc/reference.md"))
	{
		if ($line =~ /^#+ (.*)$/) { $heading = $1; }
		else { $part{$heading} .= $line; }
	}
}

# Without showing the whole part when it is not so.
sub part_has
{
	my ($heading, $pattern, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return ok($part{$heading} =~ $pattern, "reference: $name");
}

sub catalog { return split /\n/, sql($node, $_[0]); }

# ---- sessions

# What psql prints, errors in their places, no spaces at the ends of lines.
sub transcript
{
	my ($database, $script) = @_;
	local $ENV{PGTZ} = 'UTC';
	local $ENV{PGDATESTYLE} = 'ISO';
	my $out = '';
	IPC::Run::run(
		[ 'psql', '-X', '-q', '-d', $node->connstr($database) . ' user=merchant' ],
		'<' => \$script, '>&' => \$out);
	$out =~ s/[ \t]+$//mg;
	return $out;
}

# Runs the SQL of a document in an empty database and compares what it prints.
sub document_is_true
{
	my ($file) = @_;
	my (@sql, @expected, @output);
	my $database = lc $file =~ s/\W/_/gr;

	foreach my $block (blocks($file))
	{
		push @sql, $block->{text} if $block->{language} eq 'sql';
		$expected[$#sql] = $block->{text} if $block->{language} eq 'text';
	}
	$node->safe_psql('postgres', "CREATE DATABASE $database OWNER merchant");
	@output = split /^next block\n/m, transcript($database, join "\n\\echo next block\n", @sql);
	for my $i (0 .. $#sql)
	{
		my ($got, $wanted) = map { s/^\n+|\n+$//gr } $output[$i] // '', $expected[$i] // '';
		is($got, $wanted, "$file: block " . ($i + 1));
	}
	return;
}

document_is_true('README.md');
document_is_true('doc/tutorial.md');
document_is_true('doc/concepts.md');

# ---- the reference

sql($node, "SELECT backorder.create_ledger('shop', 'UTC')");

# Every table and view has a part, and its columns are a table in it.
sub described_columns
{
	my ($name) = @_;
	return join ', ', map { /^\| `(\w+)` \| ([^|]+?) \|/ ? "$1 $2" : () } split /\n/, $part{$name} // '';
}

foreach my $relation (catalog(q{
	SELECT CASE nspname WHEN 'shop' THEN relname ELSE nspname || '.' || relname END || '|' || c.oid
	FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = relnamespace
	WHERE nspname IN ('shop', 'backorder') AND relkind IN ('r', 'p', 'v') ORDER BY 1}))
{
	my ($name, $oid) = split /\|/, $relation;
	my $columns = sql($node, qq{
		SELECT string_agg(attname || ' ' || CASE atttypid WHEN 'timestamptz'::regtype THEN 'timestamptz' ELSE format_type(atttypid, NULL) END, ', ' ORDER BY attnum)
		FROM pg_attribute WHERE attrelid = $oid AND attnum > 0 AND NOT attisdropped});
	is(described_columns($name), $columns, "reference: columns of $name");
}

# Parameters as the reference writes them.
sub parameters
{
	my ($text) = @_;
	$text =~ s/timestamp with time zone/timestamptz/g;
	$text =~ s/::\w+//g;
	$text =~ s/called_at timestamptz DEFAULT clock_timestamp\(\)/called_at …/;
	$text =~ s/, OUT .*//;
	$text =~ s/\s+/ /g;
	return $text;
}

# The head of a function's part: an indented block.
sub described_parameters
{
	my ($schema, $name) = @_;
	return 'no part' unless exists $part{$name};
	my ($head) = $part{$name} =~ /^    \Q$schema$name\E\((.*?)\)\s+RETURNS/ms or return 'no head';
	return parameters($head);
}

my $functions = q{SELECT proname || '|' || pg_get_function_arguments(oid) FROM pg_proc WHERE prokind = 'f'
	AND pronamespace = 'SCHEMA'::regnamespace AND prorettype <> 'trigger'::regtype ORDER BY 1};
foreach my $function (catalog($functions =~ s/SCHEMA/shop/r))
{
	my ($name, $arguments) = split /\|/, $function, 2;
	if ($arguments =~ /^since/)
	{
		my $names = join ', ', map { /^(\w+)/ } split /, /, $arguments;
		part_has('Figures', qr/^\| `$name` \| \Q$names\E \| /m, "figure $name");
		next;
	}
	is(described_parameters('', $name), parameters($arguments), "reference: function $name");
}
foreach my $function (catalog($functions =~ s/SCHEMA/backorder/r))
{
	my ($name, $arguments) = split /\|/, $function, 2;
	my $is_internal = $part{"For the engine's own use"} =~ /`$name`/ || $part{Aggregates} =~ /`$name`/;
	is($is_internal ? parameters($arguments) : described_parameters('backorder.', $name),
		parameters($arguments), "reference: function backorder.$name");
}
foreach my $name (catalog(q{SELECT proname FROM pg_proc WHERE pronamespace = 'backorder'::regnamespace AND prorettype = 'trigger'::regtype}))
{
	part_has("For the engine's own use", qr/`$name`/, "trigger function $name");
}
foreach my $aggregate (catalog(q{
	SELECT format('backorder.%s(%s)` | %s |', proname, pg_get_function_arguments(oid), prorettype::regtype)
	FROM pg_proc WHERE prokind = 'a' AND pronamespace = 'backorder'::regnamespace}))
{
	$aggregate =~ s/timestamp with time zone/timestamptz/g;
	part_has('Aggregates', qr/\Q$aggregate\E/, "aggregate $aggregate");
}
foreach my $name (map { /(backorder\.[a-z_]+)\(/ } $part{Aggregates} =~ /^\| `(.*)$/mg)
{
	is(sql($node, "SELECT count(*) FROM pg_proc WHERE oid::regproc::text = '$name'"), '1', "$name is a function");
}

foreach my $setting (catalog(q{SELECT backorder.version(); SELECT name || '|' || coalesce(nullif(boot_val, ''), 'empty') FROM pg_settings WHERE name LIKE 'backorder.%'}))
{
	my ($name, $default) = split /\|/, $setting;
	next unless defined $default;
	part_has('Settings', qr/^\| `\Q$name\E` \| $default\b/m, "setting $name");
}

# Every error the sources raise.
my $sources = join '', map { slurp_file($_) } glob("$top/src/*.c"), "$top/src/backorder.h";
my $sharedir = `pg_config --sharedir`;
chomp $sharedir;
my %sqlstate = slurp_file("$sharedir/errcodes.txt") =~ /^(\w{5})\s+\w\s+(ERRCODE_\w+)/mg;
%sqlstate = (reverse(%sqlstate), map { s/[', ]//gr } $sources =~ /#define (ERRCODE_\w+) MAKE_SQLSTATE\(([^)]*)\)/g);
my %raised = map { $_ => 1 } $sources =~ /\b(ERRCODE_\w+)/g;
foreach my $name (sort keys %raised)
{
	part_has('Errors', qr/^\|[^|]*\b$sqlstate{$name}\b/m, "SQLSTATE $sqlstate{$name}");
}

my %constraint = map { $_ => 1 } (
	$sources =~ /PG_DIAG_CONSTRAINT_NAME,\s*"(\w+)"/g,
	(map { /"(\w+)"\);$/ } $sources =~ /((?:MoveRefuse|RefuseValue)\((?:engine|ledger),[^;]*;)/g),
	(map { ("order_line_$_", "stock_move_$_") } $sources =~ /psprintf\("%s_(\w+_fkey)"/g),
	catalog(q{SELECT conname FROM pg_constraint WHERE connamespace = 'shop'::regnamespace AND contype <> 'n'}));
foreach my $name (sort keys %constraint)
{
	part_has('Errors', qr/`$name`/, "constraint $name");
}

# The names check_ledger gives to what it finds.
my %invariant = map { $_ => 1 } map { split /, / }
  sql($node, 'SELECT backorder.script_check()') =~ m{^\s*/\* ([a-z, ]+): [^\n]*\*/\n\s*SELECT '}mg;
foreach my $name ('trigger', 'version', 'code', sort keys %invariant)
{
	part_has('What check_ledger looks for', qr/^\| $name \|/m, "invariant $name");
}

# And nothing that is gone.
my %known = map { $_ => 1 } catalog(q{
	SELECT CASE nspname WHEN 'backorder' THEN 'backorder.' ELSE '' END || relname FROM pg_class JOIN pg_namespace AS n ON n.oid = relnamespace WHERE nspname IN ('shop', 'backorder')
	UNION SELECT proname FROM pg_proc JOIN pg_namespace AS n ON n.oid = pronamespace WHERE nspname IN ('shop', 'backorder')});
is(join(' ', grep { !$known{$_} && $_ ne "For the engine's own use" } slurp_file("$top/doc/reference.md") =~ /^### (.*)$/mg),
	'', 'reference: everything that has a part exists');

# ---- links between the documents

foreach my $file (qw(README.md doc/concepts.md doc/tutorial.md doc/reference.md doc/operations.md CHANGELOG.md))
{
	my ($directory) = "$top/$file" =~ m{^(.*)/};
	my @broken;
	foreach my $link (slurp_file("$top/$file") =~ /\]\(([^)\s]+)\)/g)
	{
		my ($path, $anchor) = $link =~ /^([^#]*)#?(.*)$/;
		my $target = $path eq '' ? "$top/$file" : "$directory/$path";
		my %anchors = -f $target ? map { lc($_) =~ s/[^\w -]//gr =~ tr/ /-/r => 1 } slurp_file($target) =~ /^#+ (.*)$/mg : ();
		push @broken, $link if !-f $target || ($anchor ne '' && !$anchors{$anchor});
	}
	is("@broken", '', "links of $file");
}

# ---- the recipes of doc/operations.md

$node->safe_psql('postgres', "CREATE ROLE $_ LOGIN") foreach qw(warehouse planner analyst portal boss);
sql($node, <<'END');
SET search_path = shop;
INSERT INTO item (item) VALUES ('lamp'), ('desk');
INSERT INTO location (location) VALUES ('north');
INSERT INTO inbound (item, quantity) VALUES ('lamp', 10);
INSERT INTO stock_move (item, quantity) VALUES ('lamp', 5);
INSERT INTO order_line (order_id, line_no, item, quantity, customer) VALUES
	('ada 1', 1, 'lamp', 3, 'ada'), ('bob 1', 1, 'lamp', 4, 'bob'), ('bob 1', 2, 'desk', 1, 'bob');
END
sql($node, scalar operations($_)) foreach qw(Clerk Warehouse Planner Analyst Portal);

sub as
{
	my ($user, $text) = @_;
	return "SET search_path = shop; SET shop.customer = 'bob'; $text";
}

sub can
{
	my ($user, $text, $result) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(sql($node, as($user, $text), user => $user), $result, "$user can: $text");
	return;
}

sub cannot
{
	my ($user, @texts) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	like(sql_error($node, as($user, $_), user => $user), qr/42501/, "$user cannot: $_") foreach @texts;
	return;
}

can('clerk', q{INSERT INTO order_line_status (order_id, line_no, item, quantity, customer) VALUES ('c1', 1, 'desk', 2, 'ada') RETURNING allocated, backordered}, '0|2');
can('clerk', q{INSERT INTO order_line (order_id, line_no, item, quantity, customer) VALUES ('c2', 1, 'desk', 1, 'ada')}, '');
can('clerk', q{SELECT line_no, backordered FROM place_order('c3', '[{"item": "desk", "quantity": 1}]', customer => 'bob')}, '1|1');
can('clerk', q{SELECT cancelled, backordered, allocated FROM cancel('c3')}, '1|1|0');
can('clerk', q{UPDATE order_line SET quantity = 3 WHERE order_id = 'c1' RETURNING quantity}, '3');
can('clerk', q{UPDATE order_line_status SET quantity = 2 WHERE order_id = 'c1' RETURNING backordered}, '2');
can('clerk', q{SELECT order_id, backordered FROM order_status WHERE order_id LIKE 'c%' ORDER BY order_id}, "c1|2\nc2|1\nc3|0");
can('clerk', q{SELECT event FROM history WHERE order_id = 'c2' AND step = 1}, 'entered, none in stock');
cannot('clerk',
	q{INSERT INTO order_line (order_id, line_no, item, quantity, placed_at) VALUES ('c9', 1, 'desk', 1, '2020-01-01')},
	q{INSERT INTO order_line (order_id, line_no, item, quantity, priority) VALUES ('c9', 1, 'desk', 1, 9)},
	q{INSERT INTO order_line_status (order_id, line_no, item, quantity, placed_at) VALUES ('c9', 1, 'desk', 1, '2020-01-01')},
	q{INSERT INTO order_line_status (order_id, line_no, item, quantity, priority) VALUES ('c9', 1, 'desk', 1, 9)},
	q{SELECT place_order('c9', '[{"item": "desk", "quantity": 1}]', placed_at => '2020-01-01')},
	q{SELECT place_order('c9', '[{"item": "desk", "quantity": 1, "priority": 9}]')},
	q{UPDATE order_line SET priority = 9 WHERE order_id = 'c1'},
	q{UPDATE order_line SET placed_at = '2020-01-01' WHERE order_id = 'c1'},
	q{UPDATE order_line SET firm = 1 WHERE order_id = 'c1'},
	q{UPDATE order_line_status SET priority = 9 WHERE order_id = 'c1'},
	q{UPDATE order_line_status SET placed_at = '2020-01-01' WHERE order_id = 'c1'},
	q{DELETE FROM order_line},
	q{SELECT receive('lamp', 1)},
	q{SELECT ship('ada 1')},
	q{SELECT * FROM stock},
	q{SELECT fill_rate()},
	q{SELECT reprioritize()},
	q{SELECT allocate('lamp')},
	q{SELECT reallocate('ada 1', 1, 'bob 1', 1, 1)},
	q{INSERT INTO priority_rule (name, condition) VALUES ('mine', '$.quantity > 0')},
	q{UPDATE item SET on_short = 'refuse'},
	q{SELECT * FROM backorder.check_ledger('shop')},
	q{SELECT backorder.empty_ledger('shop')});

can('warehouse', q{SELECT order_id, quantity FROM receive('lamp', 4, inbound_id => 1)}, "bob 1|2\n|2");
can('warehouse', q{UPDATE order_line SET firm = 1 WHERE order_id = 'bob 1' AND line_no = 1 RETURNING firm}, '1');
can('warehouse', q{SELECT order_id, allocated, firm FROM ready_to_ship ORDER BY order_id}, "ada 1|3|0\nbob 1|4|1");
can('warehouse', q{SELECT quantity, open FROM ship('ada 1', 1, 2)}, '2|1');
can('warehouse', q{INSERT INTO stock_move (kind, order_id, line_no, quantity) VALUES ('shipment_reversal', 'ada 1', 1, 1) RETURNING item}, 'lamp');
can('warehouse', q{SELECT difference FROM record_count('lamp', 9)}, '1');
can('warehouse', q{SELECT kind, quantity FROM transfer('lamp', 'main', 'north', 1)}, "transfer_out|1\ntransfer_in|1");
can('warehouse', q{SELECT item, location, on_hand, available FROM stock WHERE item = 'lamp' ORDER BY location}, "lamp|main|8|2\nlamp|north|1|1");
cannot('warehouse',
	q{INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('w1', 1, 'lamp', 1)},
	q{UPDATE order_line SET priority = 9},
	q{SELECT cancel('ada 1')},
	q{SELECT reallocate('ada 1', 1, 'bob 1', 1, 1)},
	q{INSERT INTO inbound (item, quantity) VALUES ('lamp', 1)},
	q{SELECT fill_rate()},
	q{SELECT backorder.rebuild_ledger('shop')});

can('planner', q{INSERT INTO priority_rule (name, condition, priority) VALUES ('bob first', '$.customer == "bob"', 1)}, '');
can('planner', q{SELECT order_id FROM preview_rule('$.customer == "bob"')}, 'bob 1');
can('planner', q{SELECT reprioritize()}, '1');
can('planner', q{INSERT INTO order_line_status (order_id, line_no, item, quantity, placed_at, priority) VALUES ('p1', 1, 'lamp', 3, '2024-01-01', 2) RETURNING allocated, backordered}, '2|1');
can('planner', q{SELECT reallocate('ada 1', 1, 'p1', 1, 1)}, '1');
can('planner', q{UPDATE item SET auto_allocate = false WHERE item = 'desk' RETURNING item}, 'desk');
can('planner', q{SELECT count(*) FROM allocate('desk')}, '0');
can('planner', q{UPDATE item SET auto_allocate = true WHERE item = 'desk' RETURNING item}, 'desk');
can('planner', q{SELECT fill_rate() BETWEEN 0 AND 1, (SELECT lines FROM kpi)}, 't|7');
cannot('planner', q{SELECT receive('lamp', 1)}, q{SELECT backorder.upgrade_ledger('shop')});

can('analyst', q{SELECT lines, orders FROM report.kpi}, '7|6');
can('analyst', q{SELECT item, lines FROM report.kpi_by_item ORDER BY item}, "desk|4\nlamp|3");
can('analyst', q{SELECT sum(lines) FROM report.kpi_monthly}, '7');
cannot('analyst', map { "SELECT * FROM $_" } qw(order_line backorder journal order_line_status line_fact kpi kpi_by_customer stock));
cannot('analyst', q{SELECT fill_rate()}, q{INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('a1', 1, 'lamp', 1)});

can('portal', q{SELECT order_id, line_no, state FROM order_line_status ORDER BY order_id, line_no}, "bob 1|1|allocated\nbob 1|2|backordered\nc3|1|cancelled");
can('portal', q{SELECT order_id FROM order_status ORDER BY order_id}, "bob 1\nc3");
can('portal', q{SELECT DISTINCT order_id FROM history ORDER BY order_id}, "bob 1\nc3");
can('portal', q{SELECT order_id, line_no FROM open_backorder}, 'bob 1|2');
can('portal', q{SELECT DISTINCT order_id FROM backorder ORDER BY order_id}, "bob 1\nc3");
can('portal', q{SELECT DISTINCT order_id FROM journal ORDER BY order_id}, "bob 1\nc3");
can('portal', q{INSERT INTO order_line_status (order_id, line_no, item, quantity, customer) VALUES ('bob 2', 1, 'desk', 2, 'bob') RETURNING backordered}, '2');
can('portal', q{SELECT backordered FROM place_order('bob 3', '[{"item": "desk", "quantity": 1}]', customer => 'bob')}, '1');
can('portal', q{SELECT cancelled FROM cancel('bob 2')}, '2');
can('portal', q{UPDATE order_line SET cancelled = cancelled + 1 WHERE order_id = 'ada 1' RETURNING order_id}, '');
can('portal', q{UPDATE order_line SET cancelled = 1 WHERE order_id = 'bob 3' RETURNING order_id}, 'bob 3');
# desks: two of ada's (c1, c2) stand before bob's
can('portal', q{SELECT line_no, state, place, may FROM order_tracking('bob 1')}, "1|allocated||{cancel}\n2|backordered|1|{cancel}");
can('portal', q{SELECT line_no, state, place FROM order_tracking('bob 2')}, '1|cancelled|');
can('portal', q{SELECT count(*) FROM order_tracking('ada 1')}, '0');
sql($node, q{SET search_path = shop; SELECT record_notice('bob 1', 2, revised_at => now() + interval '9 days'), record_notice('ada 1', 1, revised_at => now() + interval '9 days')});
can('portal', q{SELECT may FROM order_tracking('bob 1') WHERE line_no = 2}, '{cancel,"accept the new date"}');
can('portal', q{SELECT record_consent('bob 1', 2, channel => 'portal')}, '1');
can('portal', q{SELECT may FROM order_tracking('bob 1') WHERE line_no = 2}, '{cancel}');
can('portal', q{SELECT DISTINCT order_id FROM notice}, 'bob 1');
can('portal', q{SELECT DISTINCT order_id FROM consent}, 'bob 1');
like(sql_error($node, as('portal', q{SELECT record_consent('ada 1')}), user => 'portal'), qr/23503/, 'portal cannot answer for others');
can('portal', q{RESET shop.customer; SELECT count(*) FROM order_line_status}, '0');
like(sql_error($node, as('portal', q{SELECT cancel('ada 1')}), user => 'portal'), qr/23503/, 'portal cannot cancel what it does not see');
cannot('portal',
	q{SELECT record_notice('bob 1')},
	q{CALL run_clocks()},
	q{UPDATE order_line SET clock_started_at = 'infinity' WHERE order_id = 'bob 1'},
	q{INSERT INTO order_line_status (order_id, line_no, item, quantity, customer) VALUES ('ada 9', 1, 'desk', 2, 'ada')},
	q{INSERT INTO order_line (order_id, line_no, item, quantity, customer) VALUES ('ada 9', 1, 'desk', 2, 'ada')},
	q{INSERT INTO order_line (order_id, line_no, item, quantity, customer, priority) VALUES ('bob 9', 1, 'desk', 2, 'bob', 1)},
	q{INSERT INTO order_line (order_id, line_no, item, quantity, customer, placed_at) VALUES ('bob 9', 1, 'desk', 2, 'bob', '2020-01-01')},
	q{UPDATE order_line SET customer = 'ada'},
	q{UPDATE order_line SET firm = 1},
	q{SELECT * FROM stock},
	q{SELECT fill_rate()},
	q{SELECT ship('bob 1')});

# Names alone, for those who have been granted nothing.
cannot('stranger', map { "SELECT * FROM $_" } qw(order_line stock kpi ledger));
no_disagreement($node, 'shop', 'the ledger is whole');

# ---- the other statements of doc/operations.md

foreach my $text (operations('Monitoring'), operations('Reading the journal from other programs'))
{
	is(sql_error($node, $text) =~ /^no error/ ? '' : $text, '', 'runs: ' . substr($text, 0, 50) =~ s/\s+/ /gr);
}

# Somebody waits at the gate while another transaction has it.
{
	my ($gate) = grep { /pg_locks/ } operations('Monitoring');
	my $holder = session($node);
	my $waiter = session($node);
	$holder->query_safe("BEGIN; SELECT shop.receive('lamp', 1)");
	start_query($waiter, "SELECT 1 FROM shop.receive('lamp', 1)");
	ok(wait_until_blocked($node, backend_pid_of('%receive%')), 'a delivery waits for another');
	like($node->safe_psql('store', $gate), qr/\|merchant\|.*shop\.receive/, 'and the query for the gate shows it');
	$holder->query_safe('COMMIT');
	finish_query($waiter);
	$_->quit foreach $holder, $waiter;
}

sub backend_pid_of
{
	my ($query) = @_;
	$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '$query'");
	return $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '$query'");
}

# Retry: both examples meet a serialization failure, and succeed.
sub meets_conflict
{
	my ($name, $open, $command, $result) = @_;
	my $failures = "SELECT xact_rollback FROM pg_stat_database WHERE datname = 'store'";
	my $holder = session($node);
	my ($out, $err) = ('', '');
	local %ENV = (%ENV, PGHOST => $node->host, PGPORT => $node->port, PGDATABASE => 'store', PGUSER => 'merchant',
		PGOPTIONS => '-c default_transaction_isolation=repeatable\ read');

	$holder->query_safe("BEGIN; $open");
	my $running = IPC::Run::start($command, '<', \undef, '>', \$out, '2>', \$err);
	backend_pid_of('%shop.%');
	my $before = $node->safe_psql('postgres', $failures);
	$holder->query_safe('COMMIT');
	ok($running->finish, "$name succeeds") or diag $err;
	like($out, $result, "$name: result");
	ok($node->poll_query_until('postgres', "SELECT xact_rollback > $before FROM pg_stat_database WHERE datname = 'store'"), "$name has tried again");
	$holder->quit;
	return;
}

{
	my $directory = PostgreSQL::Test::Utils::tempdir();
	my ($python) = grep { system("$_ -c 'import psycopg2' 2>/dev/null") == 0 } '/usr/bin/python3', 'python3';
	append_to_file("$directory/retry.sh", scalar operations('Retry: 40001 and 40P01', 'sh'));
	append_to_file("$directory/retry.py", scalar operations('Retry: 40001 and 40P01', 'python'));
	sql($node, "INSERT INTO shop.order_line (order_id, line_no, item, quantity) VALUES ('r1', 1, 'lamp', 50)");
	meets_conflict('the shell script', q{INSERT INTO shop.order_line (order_id, line_no, item, quantity, priority) VALUES ('r2', 1, 'lamp', 50, 5)},
		[ 'bash', "$directory/retry.sh" ], qr/^\d+\|r2\|1\|\|5$/m);
	SKIP:
	{
		skip 'there is no psycopg2', 3 unless $python;
		meets_conflict('the program in Python', q{SELECT shop.receive('lamp', 200)}, [ $python, "$directory/retry.py" ], qr/^2 0$/m);
	}
}

# A new owner: the statements that the recipe prints, executed by \gexec.
{
	my $recipe = operations('A new name, a new owner');
	$node->safe_psql('store', 'ALTER SCHEMA shop OWNER TO boss');
	can('clerk', q{INSERT INTO order_line_status (order_id, line_no, item, quantity, customer) VALUES ('o1', 1, 'desk', 1, 'ada') RETURNING backordered}, '1');
	$node->safe_psql('store', 'ALTER TABLE shop.order_line OWNER TO boss');
	like(sql_error($node, as('clerk', q{INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('o2', 1, 'desk', 1)}), user => 'clerk'),
		qr/42501.*another owner/, 'tables of two owners');
	$node->safe_psql('store', "BEGIN;\n$recipe\nCOMMIT;");
	can('clerk', q{INSERT INTO order_line_status (order_id, line_no, item, quantity, customer) VALUES ('o2', 1, 'desk', 1, 'ada') RETURNING backordered}, '1');
	is(sql($node, q{SELECT count(*) FROM pg_class WHERE relnamespace = 'shop'::regnamespace AND relowner <> 'boss'::regrole}), '0', 'everything belongs to the new owner');
	no_disagreement($node, 'shop', 'the ledger is whole after a change of owner', user => 'boss');
}

# Partitions.
{
	make_store($node, 'parts');
	my @parts = (database => 'parts');
	sql($node, "SELECT backorder.create_ledger('shop', 'UTC')", @parts);
	sql($node, scalar operations('Partitions'), @parts);
	no_disagreement($node, 'shop', 'a partitioned ledger', @parts);
	sql($node, q{
		INSERT INTO shop.item (item) VALUES ('lamp');
		INSERT INTO shop.order_line (order_id, line_no, item, quantity) SELECT n::text, 1, 'lamp', 1 FROM generate_series(1, 20) AS n;
		SELECT shop.receive('lamp', 10)}, @parts);
	is(sql($node, q{SELECT count(*) FROM shop.order_line_status WHERE allocated = 1}, @parts), '10', 'lines in partitions are placed and served');
	sql($node, q{UPDATE shop.order_line_0 SET cancelled = 1; UPDATE shop.order_line_1 SET cancelled = 1}, @parts);
	is(sql($node, q{SELECT allocated, available FROM shop.stock}, @parts), '0|10', 'DML aimed at a partition is seen');
	no_disagreement($node, 'shop', 'and the ledger is whole', @parts);
}

# Lines that were written while there were no triggers.
{
	make_store($node, 'damage');
	my @damage = (database => 'damage');
	sql($node, q{SELECT backorder.create_ledger('shop', 'UTC'); INSERT INTO shop.item (item) VALUES ('lamp'); SELECT shop.receive('lamp', 2)}, @damage);
	$node->safe_psql('damage', 'DROP EXTENSION backorder CASCADE');
	sql($node, q{INSERT INTO shop.order_line (order_id, line_no, item, quantity) VALUES ('3001', 1, 'lamp', 3)}, @damage);
	sql($node, q{CREATE EXTENSION backorder; SELECT backorder.upgrade_ledger('shop')}, @damage);
	is(sql($node, q{SELECT string_agg(DISTINCT invariant, ', ') FROM backorder.check_ledger('shop')}, @damage), 'allocated, available', 'a line that was never placed');
	$node->safe_psql('damage', scalar operations('Damage, and how to mend it'));
	is(sql($node, q{SELECT allocated, backordered FROM shop.order_line_status}, @damage), '2|1', 'is placed by the recipe');
	no_disagreement($node, 'shop', 'and the ledger is whole', @damage);
}

$node->stop;
done_testing();
