// What is in force, the commented defaults, and the reference: three visitors over one description.
#include "base/text.hpp"
#include "config/config.hpp"
#include "config/describe.hpp"

#include <sstream>

namespace berth::config {
namespace {

// A text as a YAML scalar: plain where that is unmistakable, else double-quoted as JSON (which YAML
// contains).
std::string yaml_text(const std::string& text) {
    const bool plain =
        !text.empty() && text.size() < 200 &&
        text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-:") ==
            std::string::npos &&
        text.find_first_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ/") == 0 &&
        text.back() != ':' && text != "true" && text != "false" && text != "yes" && text != "no" &&
        text != "on" && text != "off" && text != "null" && text != "y" && text != "n";
    return plain ? text : json::serialize(json::value(text));
}

std::string duration_text(seconds span) {
    const auto count = span.count();
    if (count != 0 && count % 86400 == 0) return std::to_string(count / 86400) + "d";
    if (count != 0 && count % 3600 == 0) return std::to_string(count / 3600) + "h";
    if (count != 0 && count % 60 == 0) return std::to_string(count / 60) + "m";
    return std::to_string(count) + "s";
}

// Opens a flow list or map with `out` = "[" or "{" and adds its elements one by one.
void add_element(std::string& out, std::string_view name, std::string_view value) {
    if (out.size() > 1) out += ", ";
    if (!name.empty()) out.append(yaml_text(std::string(name))).append(": ");
    out += value;
}

std::string flow_list(const std::vector<std::string>& texts) {
    std::string out = "[";
    for (const auto& text : texts)
        add_element(out, "", yaml_text(text));
    return out + "]";
}

// One line of YAML for any value.
struct ValueText {
    std::string operator()(const std::string* v) const { return yaml_text(*v); }
    std::string operator()(const bool* v) const { return *v ? "true" : "false"; }
    std::string operator()(const std::uint16_t* v) const { return std::to_string(*v); }
    std::string operator()(const std::uint32_t* v) const { return std::to_string(*v); }
    std::string operator()(const seconds* v) const { return duration_text(*v); }
    std::string operator()(const std::optional<double>* v) const {
        if (!*v) return "null";
        std::ostringstream out;
        out << **v;
        return out.str();
    }
    std::string operator()(const std::optional<std::uint32_t>* v) const {
        return *v ? std::to_string(**v) : "null";
    }
    std::string operator()(const std::optional<seconds>* v) const { return *v ? duration_text(**v) : "null"; }
    std::string operator()(const std::optional<Bytes>* v) const {
        return *v ? std::to_string((*v)->count) : "null";
    }
    std::string operator()(const Secret* v) const { return v->empty() ? "\"\"" : "\"[secret]\""; }
    std::string operator()(const std::vector<std::string>* v) const { return flow_list(*v); }
    std::string operator()(const std::map<std::string, std::string>* v) const {
        std::string out = "{";
        for (const auto& [name, value] : *v)
            add_element(out, name, yaml_text(value));
        return out + "}";
    }
    std::string operator()(const std::map<std::string, std::vector<std::string>>* v) const {
        std::string out = "{";
        for (const auto& [name, list] : *v)
            add_element(out, name, flow_list(list));
        return out + "}";
    }
    std::string operator()(const json::object* v) const { return json::serialize(*v); }
};

// Environments often carry passwords, and so may what is merged into requests: their values are not shown.
bool hides_values(const Doc& doc) {
    return doc.key == "environment";
}

enum class Comments { no, yes };

class YamlWriter final : public Visitor {
public:
    explicit YamlWriter(Comments comments, std::size_t depth = 0)
        : comments_(comments), indent_(depth * 2, ' ') {}

    void field(const Doc& doc, const Field& field) override {
        comment(doc, &field);
        std::string value = std::visit(ValueText{}, field);
        if (hides_values(doc) && comments_ == Comments::no) value = redacted(field);
        out_ += lead() + std::string(doc.key) + ": " + value + "\n";
    }
    void section(const Doc& doc, const std::function<void(Visitor&)>& describe_fields) override {
        comment(doc, nullptr);
        YamlWriter inner(comments_, indent_.size() / 2 + 1);
        describe_fields(inner);
        out_ += lead() + std::string(doc.key) + ":\n" + inner.out_;
    }
    void list(const Doc& doc, Items& items) override {
        comment(doc, nullptr);
        if (comments_ == Comments::yes) example(items);
        out_ += lead() + std::string(doc.key) + ":" + (items.size() == 0 ? " []" : "") + "\n";
        for (std::size_t i = 0; i < items.size(); ++i) {
            YamlWriter inner(Comments::no, indent_.size() / 2 + 2);
            items.describe(i, inner);
            inner.out_[indent_.size() + 2] = '-';
            out_ += inner.out_;
        }
    }
    std::string take() { return std::move(out_); }

private:
    std::string lead() const { return indent_; }
    static std::string redacted(const Field& field) {
        auto* const* values = std::get_if<std::map<std::string, std::string>*>(&field);
        if (!values) return "{}";
        std::string out = "{";
        for (const auto& [name, value] : **values)
            add_element(out, name, "\"[secret]\"");
        return out + "}";
    }
    void comment(const Doc& doc, const Field* field) {
        if (comments_ == Comments::no) return;
        if (indent_.empty()) out_ += "\n";
        out_ += indent_ + "# " + std::string(doc.help);
        if (!doc.allowed.empty()) {
            out_ += " One of:";
            for (auto name : doc.allowed)
                out_ += " " + std::string(name);
            out_ += ".";
        }
        if (field && std::holds_alternative<Secret*>(*field)) out_ += " May be ${VARIABLE} or {file: PATH}.";
        out_ += "\n";
    }
    // The keys of an element, commented out.
    void example(Items& items) {
        YamlWriter inner(Comments::no, 1);
        items.describe_blank(inner);
        inner.out_[0] = '-';
        for (auto line : split(inner.out_, '\n')) {
            if (!line.empty()) out_ += indent_ + "#   " + std::string(line) + "\n";
        }
    }

    Comments comments_;
    std::string indent_;
    std::string out_;
};

std::string limits_of(const Doc& doc, const Field& field) {
    std::string out;
    for (auto name : doc.allowed)
        out.append(out.empty() ? "One of `" : ", `").append(name).append("`");
    const bool counted =
        std::holds_alternative<std::uint32_t*>(field) || std::holds_alternative<std::uint16_t*>(field);
    if (counted && doc.max != std::numeric_limits<std::int64_t>::max()) {
        out = "From " + std::to_string(doc.min) + " to " + std::to_string(doc.max);
    }
    if (std::holds_alternative<seconds*>(field)) {
        out = "From " + duration_text(seconds(doc.min)) + " to " + duration_text(seconds(doc.max));
    }
    return out.empty() ? out : out.insert(0, " ").append(".");
}

class MarkdownWriter final : public Visitor {
public:
    explicit MarkdownWriter(std::string prefix) : prefix_(std::move(prefix)) {}

    void field(const Doc& doc, const Field& field) override {
        row(doc, std::string(type_name(field)), std::visit(ValueText{}, field), limits_of(doc, field));
    }
    void section(const Doc& doc, const std::function<void(Visitor&)>& describe_fields) override {
        MarkdownWriter inner(prefix_ + std::string(doc.key) + ".");
        describe_fields(inner);
        chapters_ += chapter(prefix_ + std::string(doc.key), doc, inner);
    }
    void list(const Doc& doc, Items& items) override {
        row(doc, "list", items.size() == 0 ? "[]" : "", " See below.");
        MarkdownWriter inner("");
        items.describe_blank(inner);
        std::string heading = prefix_ + std::string(doc.key) + "[]";
        if (listed_volumes(doc)) return;
        chapters_ += chapter(heading, doc, inner);
        if (!items.short_form().empty()) {
            chapters_ += "An element may also be the text `" + std::string(items.short_form()) + "`.\n\n";
        }
    }
    std::string table() const {
        return rows_.empty()
                   ? ""
                   : "| Key | Type | Default | Meaning | JupyterHub |\n| --- | --- | --- | --- | --- |\n" +
                         rows_ + "\n";
    }
    const std::string& chapters() const { return chapters_; }

private:
    static std::string chapter(const std::string& name, const Doc& doc, const MarkdownWriter& inner) {
        return "## `" + name + "`\n\n" + std::string(doc.help) + "\n\n" + inner.table() + inner.chapters();
    }
    // A profile's volumes have the keys of docker.volumes, which are documented there.
    bool listed_volumes(const Doc& doc) const { return doc.key == "volumes" && prefix_.empty(); }
    void row(const Doc& doc, const std::string& type, const std::string& value, const std::string& more) {
        std::string stands_for = doc.jupyterhub.empty() ? "" : "`" + std::string(doc.jupyterhub) + "`";
        rows_.append("| `").append(prefix_).append(doc.key).append("` | ").append(type).append(" | ");
        if (!value.empty()) rows_.append("`").append(value).append("`");
        rows_.append(" | ").append(doc.help).append(more).append(" | ").append(stands_for).append(" |\n");
    }

    std::string prefix_;
    std::string rows_;
    std::string chapters_;
};

}  // namespace

std::string show(const Options& options) {
    Options copy = options;
    YamlWriter writer(Comments::no);
    describe(writer, copy);
    return writer.take();
}

std::string defaults() {
    Options options;
    YamlWriter writer(Comments::yes);
    describe(writer, options);
    return "# Every key of Berth's configuration with its default. `berth config check --config FILE` checks "
           "a file.\n"
           "# ${NAME} and ${NAME:-default} take values from the environment and from .env beside the "
           "file.\n" +
           writer.take();
}

std::string documentation() {
    Options options;
    MarkdownWriter writer("");
    describe(writer, options);
    return "# Configuration\n\n"
           "One YAML file, given with `--config FILE`. Unknown keys are refused. `${NAME}` and "
           "`${NAME:-default}` take\n"
           "values from the environment, then from `.env` beside the file. Sizes are written like `512M` or "
           "`8G`,\n"
           "durations like `30s`, `5m` or `2h`. Secrets may be given as `{file: PATH}`.\n"
           "This page is made from the program: `berth config docs`.\n\n" +
           writer.table() + writer.chapters();
}

}  // namespace berth::config
