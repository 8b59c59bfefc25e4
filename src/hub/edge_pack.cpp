#include "hub/edge_pack.hpp"

#include "base/json.hpp"
#include "base/random.hpp"
#include "proxy/edge_files.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <brotli/encode.h>
#include <zlib.h>

#include <fstream>
#include <memory>
#include <optional>
#include <set>

namespace berth::hub {
namespace {

constexpr std::uint64_t kLargestFile = 16 * 1024 * 1024;
constexpr std::size_t kSmallestCompressed = 256;
constexpr int kBrotliQuality = 6;  // 9 saves 2 % more at three times the time
constexpr int kGzipLevel = 6;
constexpr int kGzipWindow = 15 + 16;  // zlib's way of asking for gzip's header

struct Kind {
    std::string_view ending;
    std::string_view type;
    bool compresses;
};
constexpr Kind kKinds[] = {
    {".js", "text/javascript", true},
    {".css", "text/css", true},
    {".svg", "image/svg+xml", true},
    {".ttf", "font/ttf", true},
    {".eot", "application/vnd.ms-fontobject", true},
    {".woff", "font/woff", false},
    {".woff2", "font/woff2", false},
    {".png", "image/png", false},
};

const Kind* kind_of(std::string_view path) {
    for (const auto& kind : kKinds) {
        if (path.ends_with(kind.ending)) return &kind;
    }
    return nullptr;
}

std::string gzipped(std::string_view text) {
    z_stream stream{};
    if (::deflateInit2(&stream, kGzipLevel, Z_DEFLATED, kGzipWindow, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return {};
    std::string out(::deflateBound(&stream, text.size()), '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));  // which zlib only reads
    stream.avail_in = static_cast<uInt>(text.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    const bool whole = ::deflate(&stream, Z_FINISH) == Z_STREAM_END;
    out.resize(whole ? stream.total_out : 0);
    ::deflateEnd(&stream);
    return out;
}

std::string brotlied(std::string_view text) {
    std::size_t size = ::BrotliEncoderMaxCompressedSize(text.size());
    std::string out(size, '\0');
    const auto done = ::BrotliEncoderCompress(
        kBrotliQuality,
        BROTLI_DEFAULT_WINDOW,
        BROTLI_MODE_TEXT,
        text.size(),
        reinterpret_cast<const std::uint8_t*>(text.data()),
        &size,
        reinterpret_cast<std::uint8_t*>(out.data()));
    out.resize(done == BROTLI_TRUE ? size : 0);
    return out;
}

struct Coded {
    std::string plain, gzip, brotli;
    std::size_t bytes() const { return plain.size() + gzip.size() + brotli.size(); }
};

// Both codings, or the file as it is where they do not pay.
Coded coded(std::string text, const Kind& kind) {
    Coded coded;
    if (kind.compresses && text.size() >= kSmallestCompressed) {
        coded.gzip = gzipped(text);
        coded.brotli = brotlied(text);
        const bool pays = !coded.gzip.empty() && coded.gzip.size() < text.size() * 9 / 10;
        if (pays && !coded.brotli.empty()) return coded;
    }
    coded = {};
    coded.plain = std::move(text);
    return coded;
}

using Archive = std::unique_ptr<archive, decltype(&archive_read_free)>;

class Writer {
public:
    Writer(std::string folder, std::uint64_t most)
        : folder_(std::move(folder)),
          most_(most),
          pack_(folder_ + "/pack", std::ios::binary | std::ios::trunc) {}

    Result<void> take(const std::string& tar) {
        Archive reader(::archive_read_new(), &::archive_read_free);
        ::archive_read_support_format_tar(reader.get());
        if (::archive_read_open_filename(reader.get(), tar.c_str(), 64 * 1024) != ARCHIVE_OK)
            return broken(reader);
        for (;;) {
            archive_entry* entry = nullptr;
            const int status = ::archive_read_next_header(reader.get(), &entry);
            if (status == ARCHIVE_EOF) return {};
            if (status != ARCHIVE_OK && status != ARCHIVE_WARN) return broken(reader);
            BERTH_CHECK(take_entry(reader, entry));
        }
    }

    Result<EdgePackSummary> finish() {
        if (summary_.files == 0)
            return Error{EdgePackErrc::nothing_found, "The image holds no static files of JupyterLab."};
        std::ofstream index(folder_ + "/index.json", std::ios::binary | std::ios::trunc);
        index << json::serialize(
            json::object{{"format", proxy::kEdgeFormat}, {"files", std::move(entries_)}});
        if (!index.flush() || !pack_.flush())
            return Error{
                EdgePackErrc::unwritable, folder_ + " cannot be written; there may be no space left."};
        summary_.bytes = at_;
        return summary_;
    }

private:
    static Error broken(const Archive& reader) {
        const char* why = ::archive_error_string(reader.get());
        return Error{
            EdgePackErrc::unreadable,
            "The engine's archive of an image is damaged.",
            why == nullptr ? "" : why};
    }

    Result<void> take_entry(const Archive& reader, archive_entry* entry) {
        const char* name = ::archive_entry_pathname(entry);
        if (name == nullptr || ::archive_entry_filetype(entry) != AE_IFREG || ::archive_entry_hardlink(entry))
            return {};
        const auto path = edge_path_of(name);
        const auto* kind = kind_of(path);
        const auto size = ::archive_entry_size(entry);
        if (path.empty() || kind == nullptr || size <= 0 || seen_.contains(path)) return {};
        if (static_cast<std::uint64_t>(size) > kLargestFile) {
            ++summary_.left_out;
            return {};
        }
        std::string text(static_cast<std::size_t>(size), '\0');
        if (::archive_read_data(reader.get(), text.data(), text.size()) != std::ssize(text))
            return broken(reader);
        add(path, std::move(text), *kind);
        return {};
    }

    void add(const std::string& path, std::string text, const Kind& kind) {
        json::object entry{{"path", path}, {"type", kind.type}, {"digest", sha256_hex(text).substr(0, 32)}};
        const auto forms = coded(std::move(text), kind);
        if (at_ + forms.bytes() > most_) {
            ++summary_.left_out;
            return;
        }
        put(entry, "plain", forms.plain);
        put(entry, "gzip", forms.gzip);
        put(entry, "brotli", forms.brotli);
        seen_.insert(path);
        entries_.push_back(std::move(entry));
        ++summary_.files;
    }

    void put(json::object& entry, std::string_view coding, const std::string& bytes) {
        if (bytes.empty()) return;
        entry[coding] = json::array{at_, bytes.size()};
        pack_.write(bytes.data(), std::ssize(bytes));
        at_ += bytes.size();
    }

    std::string folder_;
    std::uint64_t most_;
    std::ofstream pack_;
    std::uint64_t at_ = 0;
    json::array entries_;
    std::set<std::string> seen_;
    EdgePackSummary summary_;
};

}  // namespace

std::string_view text_of(EdgePackErrc reason) {
    switch (reason) {
        case EdgePackErrc::unreadable:
            return "the archive is not readable";
        case EdgePackErrc::unwritable:
            return "the folder is not writable";
        case EdgePackErrc::nothing_found:
            return "nothing to keep";
    }
    return "unknown";
}

std::string edge_path_of(std::string_view path_in_tar) {
    constexpr std::string_view kLab = "static/";
    constexpr std::string_view kExtensions = "labextensions/";
    std::string path;
    if (path_in_tar.starts_with(kLab)) path.append("static/lab/").append(path_in_tar.substr(kLab.size()));
    if (path_in_tar.starts_with(kExtensions))
        path.append("lab/extensions/").append(path_in_tar.substr(kExtensions.size()));
    return proxy::is_edge_path(path) ? path : std::string();
}

Result<EdgePackSummary> write_edge_pack(const EdgePackRequest& request) {
    Writer writer(request.folder, request.most_bytes);
    for (const auto& tar : request.tars)
        BERTH_CHECK(writer.take(tar));
    return writer.finish();
}

}  // namespace berth::hub
