"""One secret in the forms in which commands, settings, headers and URLs give it."""

from __future__ import annotations

CANARY = "c4n4ry-S3cr3t"

WORDS = CANARY.replace("-", "0")  # of letters and digits
HASH = CANARY.replace("-", "/")  # of the letters of a password's hash
SIGHTINGS = (CANARY, WORDS, HASH)

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
    f"root:$6$saltsalt${HASH}aaaaaaaaaaaaaaaa:19000::",
    f"eyJhbGciOiJI.eyJzdWIiOiIx.{CANARY}",
    f"ghp_{WORDS}",
    f"glpat-{WORDS}",
    f"xoxb-{WORDS}",
    f"AKIA{WORDS}",
    f"npm_{WORDS}",
    f"hf_{WORDS}",
)
