# One long-lived psql: send SQL, get rows and the first error.
package Session;

use strict;
use warnings;

use File::Temp;
use IPC::Open3;

# The arguments are those of psql: a connection string, -U and so on.
sub new
{
	my ($class, @arguments) = @_;
	my $errors = File::Temp->new;
	open my $stderr, '>>', $errors->filename or die "cannot open the error file: $!";
	my ($in, $out);
	my $pid = open3($in, $out, '>&' . fileno($stderr), 'psql', '-XqAt', '-v', 'VERBOSITY=verbose', @arguments);
	binmode $in, ':utf8';
	return bless { pid => $pid, in => $in, out => $out, errors => $errors, n => 0 }, $class;
}

# Runs statements (each ended by a semicolon).  Returns { rows, state, constraint, message }:
# the state is that of the first error, or 00000.
sub run
{
	my ($self, $sql) = @_;
	$self->start($sql);
	while (1)
	{
		my $reply = $self->reply(60);
		return $reply if $reply;
	}
}

# Sends statements and does not wait for the reply.
sub start
{
	my ($self, $sql) = @_;
	$self->{end} = 'end of reply ' . ++$self->{n};
	$self->{position} = -s $self->{errors}->filename;
	$self->{got} = '';
	print { $self->{in} } "$sql\n\\echo $self->{end}\n";
	$self->{in}->flush;
	return;
}

# The reply to them, as run() returns it; nothing if it has not come after so many seconds.
sub reply
{
	my ($self, $seconds) = @_;
	my $bits = '';
	vec($bits, fileno $self->{out}, 1) = 1;
	while ($self->{got} !~ /(?:^|\n)\Q$self->{end}\E\n\z/)
	{
		return unless select(my $ready = $bits, undef, undef, $seconds);
		sysread($self->{out}, $self->{got}, 65536, length $self->{got})
		  or die 'psql ended: ' . $self->errors_from($self->{position});
	}
	my $text = $self->{got};
	utf8::decode($text);
	my @rows = split /\n/, $text, -1;
	splice @rows, -2;
	my $said = $self->errors_from($self->{position});
	# psql may run one more command after that; a COMMIT without an answer is none
	die "psql ended: $said"
	  if $said =~ /^(?:.*: )?(?:server closed the connection|no connection to the server|connection to server was lost|FATAL:  57P0[123]:)/m;
	my %reply = (rows => \@rows, state => '00000', constraint => '', message => '');
	if ($said =~ /^(?:.*: )?(?:ERROR|FATAL|PANIC):  (\w{5}): (.*?)(?=^(?:.*: )?ERROR:|\z)/ms)
	{
		@reply{qw(state message)} = ($1, $2);
		$reply{constraint} = $1 if $reply{message} =~ /^CONSTRAINT NAME:  (.*)$/m;
	}
	return \%reply;
}

sub errors_from
{
	my ($self, $position) = @_;
	open my $file, '<:utf8', $self->{errors}->filename or die "cannot read the error file: $!";
	seek $file, $position, 0;
	local $/;
	return <$file> // '';
}

# Runs SQL that must succeed; returns its rows.
sub rows
{
	my ($self, $sql) = @_;
	my $reply = $self->run($sql);
	die "$sql\n$reply->{state}: $reply->{message}" if $reply->{state} ne '00000';
	return @{ $reply->{rows} };
}

sub value { my ($self, $sql) = @_; return ($self->rows($sql))[0] }

sub quit
{
	my ($self) = @_;
	close $self->{in};
	close $self->{out};
	waitpid $self->{pid}, 0;
	return;
}

# The same for one that may be waiting.
sub end_at_once { my ($self) = @_; kill 'KILL', $self->{pid}; return $self->quit }

1;
