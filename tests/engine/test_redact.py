"""What must not leave the machine in a bug report, and what a report needs to stay readable."""

from __future__ import annotations

import pytest

from tests.support.limits import bounds
from zwizard.engine.redact import HIDDEN, Identity, Redactor, hide_secrets

ADA = Identity(("ada",), "analytical.example", "/srv/people/ada")
CANARY = "c4n4ry-S3cr3t"

WORDS = CANARY.replace("-", "0")  # of letters and digits

GIVEN = (
    # settings
    f"export API_TOKEN={CANARY}",
    f"PASSWORD='{CANARY}'",
    f"PGPASSWORD={CANARY} psql -h db",
    f'"db_password": "{CANARY}"',
    f'API_TOKEN = "{CANARY}"',
    f"  password: correct horse {CANARY}",
    f"secret = correct horse {CANARY}",
    f"MNEMONIC='abandon ability {CANARY}'",
    f'tokens = ["{CANARY}"]',
    f"aws_secret_access_key = {CANARY}",
    f"//registry.example/:_authToken={CANARY}",
    f'{{"auths": {{"r.example": {{"auth": "{CANARY}"}}}}}}',
    f"    client-key-data: {CANARY}",
    f"AccountName=x;AccountKey={CANARY};EndpointSuffix=y",
    f"PrivateKey = {CANARY}",
    f"machine m.example login ada password {CANARY}",
    f"curl --data 'user=ada&password={CANARY}&x=y' https://x",
    # headers
    f"curl -H 'Authorization: Bearer {CANARY}' https://x",
    f"Authorization: Basic {CANARY}",
    f"authorization: Token token={CANARY}",
    f"> Proxy-Authorization: Negotiate {CANARY}",
    f"curl -H 'X-Api-Key: {CANARY}' https://x",
    f'curl --header "PRIVATE-TOKEN: {CANARY}" https://x',
    f"Cookie: theme=dark; session={CANARY}",
    f"< Set-Cookie: {CANARY}; HttpOnly",
    f"sent bearer {CANARY}",
    # URLs
    f"http://ada:{CANARY}@proxy.example:3128/",
    f"http://{CANARY}@m.example/debian",
    f"git clone https://oauth2:{CANARY}@git.example/x.git",
    f"postgres://ada:{CANARY}@db/x",
    f"https://s3.example/a.tar?X-Amz-Date=1&X-Amz-Signature={CANARY}",
    f"https://b.example/a.tar?sv=2020&sig={CANARY}",
    f"https://b.example/a.tar#access={CANARY}",
    # options
    f"curl -u ada:{CANARY} https://m.example/",
    f"curl --proxy-user ada:{CANARY} https://m.example/",
    f"smbclient //host/share -U ada%{CANARY}",
    f"tool --password {CANARY} --verbose",
    f"tool --auth-token={CANARY}",
    f"gpg --batch --passphrase {CANARY} -d x",
    f"wget --http-password={CANARY} https://x",
    f"mysql -u root -p{CANARY} db",
    f"docker login -u ada -p {CANARY} r.example",
    f"sshpass -p {CANARY} ssh host",
    f"ldapsearch -x -D cn=admin -w {CANARY}",
    f"redis-cli -h db -a {CANARY} ping",
    f"zip -r -P {CANARY} x.zip x",
    f"htpasswd -bc /etc/htpasswd ada {CANARY}",
    f"openssl enc -aes256 -pass pass:{CANARY}",
    f"useradd -m -p {CANARY} ada",
    # passwords on their way to a program
    f"echo root:{CANARY} | chpasswd",
    f"echo 'root:{CANARY}' | chpasswd -e",
    f"chpasswd <<<'root:{CANARY}'",
    f"chpasswd <<END\nroot:{CANARY}\nEND",
    f"echo {CANARY} | passwd --stdin root",
    f"openssl passwd -6 {CANARY}",
    f"mkpasswd -m sha-512 {CANARY}",
    # by their own form
    f"-----BEGIN OPENSSH PRIVATE KEY-----\n{CANARY}\n-----END OPENSSH PRIVATE KEY-----",
    f"-----BEGIN PGP PRIVATE KEY BLOCK-----\n{CANARY}\n-----END PGP PRIVATE KEY BLOCK-----",
    f"-----BEGIN PRIVATE KEY-----\n{CANARY}",
    f"root:$6$saltsalt${CANARY.replace('-', '/')}aaaaaaaaaaaaaaaa:19000::",
    f"eyJhbGciOiJI.eyJzdWIiOiIx.{CANARY}",
    f"ghp_{WORDS}",
    f"glpat-{WORDS}",
    f"xoxb-{WORDS}",
    f"AKIA{WORDS}",
    f"npm_{WORDS}",
    f"hf_{WORDS}",
)


def test_there_are_fifty_forms() -> None:
    assert len(set(GIVEN)) >= 50


@pytest.mark.parametrize("text", GIVEN)
def test_a_secret_goes_where_it_stands(text: str) -> None:
    shown = Redactor(ADA).clean(f"before\n{text}\nafter")
    assert CANARY not in shown
    assert CANARY.replace("-", "/") not in shown
    assert CANARY.replace("-", "0") not in shown
    assert HIDDEN in shown
    assert shown.startswith("before\n")
    assert shown.endswith("\nafter") or text.startswith("-----BEGIN PRIVATE KEY")


@pytest.mark.parametrize("text", [text for text in GIVEN if CANARY in text and "eyJ" not in text])
def test_a_secret_that_was_given_goes_wherever_it_occurs(text: str) -> None:
    redactor = Redactor(ADA)
    redactor.learn(text)
    assert CANARY not in redactor.clean(f"a log that echoes\n{text.split('=')[-1]}\n{CANARY}!\n")


def test_names_and_paths_of_the_machine_go() -> None:
    shown = Redactor(ADA).clean(
        "/srv/people/ada/images on analytical.example (analytical) by ada; /home/bob/x; adamant"
    )
    assert shown == "~/images on HOST (HOST) by USER; /home/USER/x; adamant"


def test_what_tells_nothing_stays() -> None:
    text = "root@localhost: E: Unable to locate package debian-ada http://deb.example/debian\n"
    common = Identity(("root", "debian"), "localhost", "/root")
    assert Redactor(common).clean(text) == text


@pytest.mark.parametrize("host", ["vm", "debian", "image"])
def test_a_machine_called_like_a_word_of_ours_spoils_no_recipe(host: str) -> None:
    text = 'name = "debian-vm"\ntarget = "image"\n'
    assert Redactor(Identity(("root",), host, "/root")).clean(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "passwd -d root",
        "E: The repository 'http://deb.example/debian bookworm Release' is not signed.",
        "install -D -m 755 app /usr/bin/app",
        "this will create and download the basic rootfs",
        "adduser --disabled-password --gecos '' ada",
        "-----BEGIN PUBLIC KEY-----\nMFkw\n-----END PUBLIC KEY-----",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBbW me@example",
        "Setting up libpam-modules (1.5.2-6) ...",
        "mmdebstrap --variant=important --keyring /x/y.gpg bookworm /root http://deb.example/debian",
        "Get:1 http://deb.example/debian bookworm/main amd64 passwd amd64 1:4.13 [971 kB]",
        "mkdir -p /srv/x && cp -p a b",
        "tar -xzf x.tar.gz -C /opt --no-same-owner",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert hide_secrets(text) == text


def test_a_secret_that_a_url_has_escaped_is_found_as_it_is() -> None:
    redactor = Redactor(ADA)
    redactor.learn("http://ada:p%40ss%2Fword@m.example/")
    assert "p@ss/word" not in redactor.clean("tried p@ss/word")


@pytest.mark.slow
@pytest.mark.parametrize(
    "piece",
    [
        "password",
        "a-",
        "a://",
        "mysql ",
        "mkpasswd -m x -mx ",
        "--token",
        "echo ",
        "machine ",
    ],
)
def test_no_log_makes_it_slow(piece: str) -> None:
    with bounds(seconds=2):
        assert hide_secrets(piece * (2**16 // len(piece)))


def test_what_is_short_is_not_replaced_everywhere() -> None:
    redactor = Redactor(ADA)
    redactor.learn("PASSWORD=no")
    assert redactor.clean("PASSWORD=no; no network") == f"PASSWORD={HIDDEN}; no network"
