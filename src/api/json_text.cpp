#include "api/json_text.hpp"

namespace berth::api {

void append_json(std::string& out, std::string_view text) {
    constexpr char kHex[] = "0123456789abcdef";
    out += '"';
    std::size_t clean_from = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        if (byte >= 0x20 && byte != '"' && byte != '\\') continue;
        out.append(text, clean_from, i - clean_from);
        clean_from = i + 1;
        if (byte == '"' || byte == '\\') {
            out += '\\';
            out += text[i];
        } else if (byte == '\n') {
            out += "\\n";
        } else {
            out += "\\u00";
            out += kHex[byte >> 4];
            out += kHex[byte & 15];
        }
    }
    out.append(text, clean_from);
    out += '"';
}

void append_json(std::string& out, const std::optional<Timestamp>& time) {
    if (!time) {
        out += "null";
        return;
    }
    out += '"';
    out += format_rfc3339(*time);
    out += '"';
}

}  // namespace berth::api
