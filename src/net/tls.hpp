// TLS towards clients and towards servers. The certificate is read from PEM files and read again when they
// change; connections that are open keep the one they began with. TlsStream is one connection for who can
// wait by themselves, as the data plane does. For all others what travels inside is handed on as a plain
// stream socket: terminate_tls() and originate_tls() relay between the two until both have ended. TLS 1.2
// and 1.3, forward secrecy and authenticated ciphers only, no renegotiation, no compression (RFC 9325).
#pragma once

#include "async/awaitable.hpp"
#include "base/result.hpp"
#include "net/listener.hpp"

#include <functional>
#include <memory>
#include <mutex>
#include <string>

namespace berth::net {

enum class TlsErrc { certificate_unusable = 1 };
std::string_view text_of(TlsErrc reason);
BERTH_ERROR_CATEGORY(TlsErrc, "tls")

struct TlsPair {
    std::string certificate;  // PEM, the whole chain, leaf first
    std::string key;          // PEM
    std::string passphrase;   // of the key; "" when it has none
};
struct TlsFiles {
    TlsPair pair;
    // Certificates for other names (SNI), see pairs_in() in net/impl/tls_context.hpp; "": none. Without
    // `pair` the first of them is shown to who names none.
    std::string folder;
    std::string client_authorities;  // PEM; not "": clients must show a certificate that one of these signed

    bool has_certificate() const { return !pair.certificate.empty() || !folder.empty(); }
};
struct TlsClientFiles {
    TlsPair pair;             // shown to servers that ask; "" shows none
    std::string authorities;  // PEM, who may sign a server's certificate; "": the system's
    bool verify = true;       // false: whatever the server shows is taken
};

class TlsContext;  // OpenSSL's, behind net/'s door

// The certificate in force. Any thread.
class TlsCertificate {
public:
    // Errors: certificate_unusable, naming the file and what to do.
    static Result<std::shared_ptr<TlsCertificate>> load(TlsFiles files);
    ~TlsCertificate();

    // Reads the files again. When they are not usable the old certificate stays in force.
    Result<void> reload();
    // Whether a file is not the one that was read last. A pair that is being replaced may not fit for a
    // moment.
    bool changed() const;
    std::shared_ptr<TlsContext> current() const;

private:
    explicit TlsCertificate(TlsFiles files);
    struct State;
    std::unique_ptr<State> state_;
};

// A connection as a server, step by step over a socket that does not block and outlives it: each call does
// what it can at once and says what to wait for. For whoever has its own way to wait; else terminate_tls().
enum class TlsStep { done, wants_read, wants_write, ended, failed };

class TlsStream {
public:
    TlsStream(std::shared_ptr<TlsContext> context, int socket);
    ~TlsStream();
    TlsStep handshake();
    // `count` bytes into `into`, at least one when done. ended: the peer says that no more comes, or just
    // closed.
    TlsStep read(char* into, std::size_t size, std::size_t& count);
    // The first `count` of `bytes`. After wants_write the next call must begin with the same bytes. follows:
    // the caller writes on at once, so the kernel may wait for a fuller packet.
    enum class More { none, follows };
    TlsStep write(std::string_view bytes, More more, std::size_t& count);
    bool has_pending() const;  // bytes that a read may give without the socket having any
    void say_end();            // no more comes from us; where the socket takes it

private:
    struct State;
    std::unique_ptr<State> state_;
};

// Handshakes on `socket`, then gives `take` the plain end of the connection (a connected Unix stream socket,
// now the callee's) and relays until both sides have ended. A handshake has 10 s. Cancelled, it closes both.
awaitable<> terminate_tls(
    std::shared_ptr<TlsContext> context, Socket socket, std::function<void(int plain)> take);

// How we speak TLS to servers. Any thread.
class TlsClient {
public:
    explicit TlsClient(TlsClientFiles files) : files_(std::move(files)) {}
    // Reads the files the first time. Errors: certificate_unusable.
    Result<std::shared_ptr<TlsContext>> context();

private:
    const TlsClientFiles files_;
    std::mutex mutex_;  // guards what follows
    std::shared_ptr<TlsContext> context_;
};

// The other way round, as a client of `host`, a name or an address that the server's certificate must be of.
// `take` gets the plain end, or why there is none.
awaitable<> originate_tls(
    std::shared_ptr<TlsContext> context,
    std::string host,
    Socket socket,
    std::function<void(error_code failure, int plain)> take);

}  // namespace berth::net
