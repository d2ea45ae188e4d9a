/* Both ends of TLS connections in one process, which say SQL to each other over a socket pair: each round is a query and
 * its answer, in PostgreSQL's protocol. Every way of reading and writing is taken, and none of the peeks is a read.
 *
 * Usage: tls_pair CERTIFICATE KEY; then, line by line, how many rounds to make on a new connection. Says "done" after
 * each, and the nanoseconds of CPU that they took.
 */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const unsigned char QUERY[] = "Q\0\0\0\rSELECT 1";
static const unsigned char ANSWER[] = "C\0\0\0\rSELECT 1\0Z\0\0\0\5I";

static void fail(const char *what)
{
    ERR_print_errors_fp(stderr);
    fprintf(stderr, "%s failed\n", what);
    exit(1);
}

/* By SSL_write, or in every second round by SSL_write_ex. */
static void say(SSL *ssl, const void *bytes, size_t length, int round)
{
    size_t written = 0;
    if (round % 2 ? SSL_write_ex(ssl, bytes, length, &written) != 1 : SSL_write(ssl, bytes, length) != (int)length)
        fail("writing");
}

static void hear(SSL *ssl, size_t length, int round)
{
    char bytes[64];
    size_t had = 0, got;
    if (SSL_peek(ssl, bytes, 1) != 1)
        fail("peeking");
    while (had < length) {
        if (round % 2) {
            if (SSL_read_ex(ssl, bytes, length - had, &got) != 1)
                fail("reading");
        } else {
            int result = SSL_read(ssl, bytes, length - had);
            if (result <= 0)
                fail("reading");
            got = result;
        }
        had += got;
    }
}

struct server {
    SSL *ssl;
    int rounds;
};

static void *serve(void *at)
{
    struct server *server = at;
    if (SSL_accept(server->ssl) != 1)
        fail("accepting");
    for (int round = 0; round < server->rounds; round++) {
        hear(server->ssl, sizeof(QUERY), round);
        say(server->ssl, ANSWER, sizeof(ANSWER) - 1, round);
    }
    return 0;
}

static long long cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

int main(int count, char **words)
{
    SSL_CTX *server_side = SSL_CTX_new(TLS_server_method()), *client_side = SSL_CTX_new(TLS_client_method());
    char line[64];
    if (count < 3 || SSL_CTX_use_certificate_file(server_side, words[1], SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_use_PrivateKey_file(server_side, words[2], SSL_FILETYPE_PEM) != 1)
        fail("reading the certificate");
    while (fgets(line, sizeof(line), stdin)) {
        int ends[2];
        pthread_t thread;
        struct server server = {SSL_new(server_side), atoi(line)};
        SSL *client = SSL_new(client_side);
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends))
            fail("socketpair");
        SSL_set_fd(server.ssl, ends[0]);
        SSL_set_fd(client, ends[1]);
        pthread_create(&thread, 0, serve, &server);
        if (SSL_connect(client) != 1)
            fail("connecting");
        long long begin = cpu_ns();
        for (int round = 0; round < server.rounds; round++) {
            say(client, QUERY, sizeof(QUERY), round);
            hear(client, sizeof(ANSWER) - 1, round);
        }
        pthread_join(thread, 0);
        long long took = cpu_ns() - begin;
        SSL_shutdown(client);
        SSL_free(client);
        SSL_free(server.ssl);
        close(ends[0]);
        close(ends[1]);
        printf("done %lld\n", took);
        fflush(stdout);
    }
    return 0;
}
