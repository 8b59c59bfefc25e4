#include "config/config.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace berth::config {
namespace {

std::optional<std::string> no_environment(const std::string&) {
    return std::nullopt;
}

std::string first_problem(const std::string& yaml) {
    auto loaded = load_text(yaml, "berth.yaml", no_environment);
    return loaded.problems.empty() ? "" : loaded.problems.front().to_string();
}

std::filesystem::path testdata() {
    return std::filesystem::path(__FILE__).parent_path() / "testdata";
}

TEST(Config, TheFirstPublishedFileStaysValid) {
    auto loaded = load_file(testdata() / "issue_3.yaml", no_environment);
    ASSERT_TRUE(loaded.problems.empty()) << loaded.problems.front().to_string();
    const auto& o = loaded.options;
    EXPECT_EQ(o.bind_url, "http://127.0.0.1:8000");
    EXPECT_EQ(o.state_dir, "./state");
    EXPECT_EQ(o.authentication.method, "dummy");
    EXPECT_EQ(o.authentication.dummy.password.reveal(), "pw");
    EXPECT_EQ(o.authentication.admins, std::vector<std::string>{"admin"});
    EXPECT_EQ(o.spawn.spawner, "docker");
    EXPECT_EQ(o.docker.image, "notebook:latest");
    EXPECT_EQ(o.gpu.oversubscription, 1U);
    ASSERT_EQ(o.gpu.devices.size(), 2U);
    EXPECT_EQ(o.gpu.devices[1].uuid, "GPU-bbbb");
    ASSERT_EQ(o.services.size(), 1U);
    EXPECT_EQ(o.services[0].name, "ops");
    EXPECT_EQ(o.services[0].api_token.reveal(), "0123456789abcdef");
    EXPECT_EQ(o.services[0].scopes.size(), 3U);
}

struct ProblemCase {
    const char* name;
    const char* yaml;
    const char* message;
};

constexpr ProblemCase kProblems[] = {
    {"TypoAtTheTop",
     "bind_url: http://127.0.0.1:8000\nspawnr: docker\n",
     "berth.yaml:2:1: unknown key 'spawnr'; did you mean 'spawner'?"},
    {"TypoInASection",
     "docker:\n  image: a\n  netwrok: b\n",
     "berth.yaml:3:3: unknown key 'netwrok'; did you mean 'network'?"},
    {"TypoInAnElement",
     "gpu:\n  devices:\n    - {uuid: GPU-a, memry: 8G}\n",
     "berth.yaml:3:21: unknown key 'memry'; did you mean 'memory'?"},
    {"NothingNear",
     "gpu: {zebra: 1}\n",
     "berth.yaml:1:7: unknown key 'zebra' in 'gpu'; `berth config defaults` lists every key"},
    {"WrongType",
     "gpu: {oversubscription: many}\n",
     "berth.yaml:1:25: 'gpu.oversubscription' must be a whole number, not the text 'many'"},
    {"ListForText", "state_dir: [a]\n", "berth.yaml:1:12: 'state_dir' must be text, not a list"},
    {"TextForSection",
     "docker: image\n",
     "berth.yaml:1:9: 'docker' must be a section with keys of its own, not the text 'image'"},
    {"TextForList",
     "authentication: {admins: ann}\n",
     "berth.yaml:1:26: 'authentication.admins' must be a list of texts, not the text 'ann'"},
    {"OutOfRange",
     "gpu: {oversubscription: 0}\n",
     "berth.yaml:1:25: 'gpu.oversubscription' must be from 1 to 1000, not 0"},
    {"DurationOutOfRange",
     "spawn: {start_timeout: 0s}\n",
     "berth.yaml:1:24: 'spawn.start_timeout' must be from 1 to 86400 seconds, not 0"},
    {"NotADuration",
     "spawn: {start_timeout: soon}\n",
     "berth.yaml:1:24: 'spawn.start_timeout' must be a duration like '30s', '5m' or '2h', not the text "
     "'soon'"},
    {"NotASize",
     "profiles: [{name: a, memory: much}]\n",
     "berth.yaml:1:30: 'profiles[0].memory' must be a size like '512M' or '8G', not the text 'much'"},
    {"NotAllowed",
     "spawner: dokcer\n",
     "berth.yaml:1:10: 'spawner' must be one of auto, docker, local, not 'dokcer'; did you mean 'docker'?"},
    {"MissingVariable",
     "docker: {image: \"${NOTEBOOK}\"}\n",
     "berth.yaml:1:17: the environment variable 'NOTEBOOK' is not set; set it, write it into .env beside "
     "this file, "
     "or give a default: ${NOTEBOOK:-value}"},
    {"DuplicateKey",
     "state_dir: a\nstate_dir: b\n",
     "berth.yaml:2:1: the key 'state_dir' is given twice; keep one of them"},
    {"NotYaml",
     "docker: {image: a\n",
     "berth.yaml:2:1: this is not YAML: end of map flow not found; check indentation, quotes and brackets"},
    {"NoMapping",
     "hello\n",
     "berth.yaml:1:1: this is no configuration: expected 'key: value' lines, found the text 'hello'"},
    {"TwoDocuments",
     "state_dir: a\n---\nstate_dir: b\n",
     "berth.yaml:3:1: the file holds a second document; keep one"},
    {"TwoProfilesOfOneName",
     "profiles:\n  - name: a\n  - name: a\n",
     "berth.yaml:3:5: two of 'profiles' are called 'a'; rename or remove one"},
    {"ProfileWithoutName", "profiles:\n  - gpus: 1\n", "berth.yaml:2:5: 'profiles[0].name' is missing"},
    {"FewerAllowedThanGiven",
     "profiles:\n  - {name: a, gpus: 2, max_gpus: 1}\n",
     "berth.yaml:2:24: profile 'a' gives 2 GPUs but allows only 1; raise max_gpus or lower gpus"},
    {"ShortServiceToken",
     "services:\n  - name: ops\n    api_token: abc\n",
     "berth.yaml:3:5: the api_token of service 'ops' has 3 characters; it must have 8 to 64 (try: openssl "
     "rand -hex 32)"},
    {"NoImage",
     "spawner: docker\ndocker: {image: \"\"}\n",
     "berth.yaml:2:10: spawner is docker but there is no image: set docker.image, or list profiles that name "
     "theirs"},
    {"DeviceTwice",
     "gpu: {devices: [GPU-a, GPU-a]}\n",
     "berth.yaml:1:24: two of 'gpu.devices' are called 'GPU-a'; rename or remove one"},
    {"QuotaOfAnUnknownProject",
     "gpu:\n  projects: [{name: thesis, users: [ann]}]\n  quotas:\n    - {project: thesys, gpus: 1}\n",
     "berth.yaml:4:8: 'gpu.quotas[0].project' is 'thesys', and gpu.projects has no such project; list it "
     "there with the users or groups who may hold GPUs for it"},
    {"QuotaOfAProjectAndAUser",
     "gpu:\n  projects: [{name: thesis, users: [ann]}]\n  quotas:\n    - {project: thesis, user: ann, gpus: "
     "1}\n",
     "berth.yaml:4:7: 'gpu.quotas[0]' must name a user, a group or a project (\"*\" is each of them), and "
     "one "
     "only"},
    {"TwoProjectsOfOneName",
     "gpu:\n  projects:\n    - {name: a}\n    - {name: a}\n",
     "berth.yaml:4:8: two of 'gpu.projects' are called 'a'; rename or remove one"},
    {"ProjectWithABadName",
     "gpu:\n  projects:\n    - {name: My Thesis}\n",
     "berth.yaml:3:8: 'gpu.projects[0].name' is 'My Thesis': use at most 63 lower-case letters, digits and "
     "'-'"},
    {"HttpsBind",
     "bind_url: https://0.0.0.0:443\n",
     "berth.yaml:1:1: 'bind_url' is https, so 'tls.certificate' and 'tls.key' must name the files; where "
     "something in front speaks https, write http:// here and its address as public_url; for a first try set "
     "tls.self_signed: true"},
    {"SelfSignedAndGiven",
     "bind_url: https://*:443\ntls: {self_signed: true, directory: /etc/tls}\n",
     "berth.yaml:2:7: 'tls.self_signed' makes a certificate, and another one is given; keep one of the two"},
    {"AcmeWithoutPort",
     "bind_url: https://*:443\ntls: {self_signed: true, acme_webroot: /srv}\n",
     "berth.yaml:2:26: 'tls.acme_webroot' is served at 'tls.redirect_port', which is not set; usually it is "
     "80"},
    {"OtherBind",
     "bind_url: ftp://0.0.0.0:443\n",
     "berth.yaml:1:1: 'bind_url' must look like http://127.0.0.1:8000, http://*:8000/base/ or "
     "https://*:443/"},
    {"CertificateWithoutKey",
     "bind_url: https://*:443\ntls: {certificate: a.pem}\n",
     "berth.yaml:2:1: 'tls.certificate' and 'tls.key' belong together; give both files or neither"},
    {"RedirectToNothing",
     "tls: {redirect_port: 80}\n",
     "berth.yaml:1:7: 'tls.redirect_port' leads to https, so 'bind_url' must be https://"},
};

class ConfigProblem : public testing::TestWithParam<ProblemCase> {};
TEST_P(ConfigProblem, SaysWhereWhatAndWhatToDo) {
    EXPECT_EQ(first_problem(GetParam().yaml), GetParam().message);
}
INSTANTIATE_TEST_SUITE_P(Golden, ConfigProblem, testing::ValuesIn(kProblems), [](const auto& each) {
    return std::string(each.param.name);
});

TEST(Config, ReportsEveryProblemInOrder) {
    auto loaded = load_text("spawnr: x\ngpu: {oversubscription: 0, agnet: true}\n", "f", no_environment);
    ASSERT_EQ(loaded.problems.size(), 3U);
    EXPECT_EQ(loaded.problems[0].key, "spawnr");
    EXPECT_EQ(loaded.problems[1].key, "gpu.oversubscription");
    EXPECT_EQ(loaded.problems[2].key, "gpu.agnet");
}

TEST(Config, FillsInVariables) {
    auto environment = [](const std::string& name) -> std::optional<std::string> {
        if (name == "IMAGE") return "nb:1";
        if (name == "K") return "3";
        if (name == "EMPTY") return "";
        return std::nullopt;
    };
    auto loaded = load_text(
        "docker: {image: '${IMAGE}', network: '${NET:-lan}-x', name_template: "
        "'{username}{servername}$${A}'}\n"
        "gpu: {oversubscription: '${K}'}\nstate_dir: ${EMPTY:-s}\n",
        "f",
        environment);
    ASSERT_TRUE(loaded.problems.empty()) << loaded.problems.front().to_string();
    EXPECT_EQ(loaded.options.docker.image, "nb:1");
    EXPECT_EQ(loaded.options.docker.network, "lan-x");
    EXPECT_EQ(loaded.options.docker.name_template, "{username}{servername}${A}");
    EXPECT_EQ(loaded.options.gpu.oversubscription, 3U);
    EXPECT_EQ(loaded.options.state_dir, "s");
}

TEST(Config, ReadsDotEnvBesideTheFileButTheEnvironmentWins) {
    const auto directory =
        std::filesystem::temp_directory_path() / ("berth_config_" + std::to_string(getpid()));
    std::filesystem::create_directory(directory);
    std::ofstream(directory / ".env") << "# comment\nexport A=\"from file\"\nB=from file\n";
    std::ofstream(directory / "secret") << "0123456789\n";
    std::ofstream(directory / "b.yaml")
        << "services: [{name: '${A}s'}]\nstate_dir: ${B}\n"
        << "authentication: {dummy: {password: {file: " << (directory / "secret").string() << "}}}\n";
    auto loaded = load_file(directory / "b.yaml", [](const std::string& name) -> std::optional<std::string> {
        return name == "B" ? std::optional<std::string>("from environment") : std::nullopt;
    });
    std::filesystem::remove_all(directory);
    EXPECT_EQ(loaded.options.services.at(0).name, "from files");
    EXPECT_EQ(loaded.options.state_dir, "from environment");
    EXPECT_EQ(loaded.options.authentication.dummy.password.reveal(), "0123456789");
}

TEST(Config, UnreadableFileIsOneProblem) {
    auto loaded = load_file("/nonexistent/berth.yaml", no_environment);
    ASSERT_EQ(loaded.problems.size(), 1U);
    EXPECT_EQ(
        loaded.problems[0].to_string(),
        "/nonexistent/berth.yaml: cannot be read: No such file or directory; check the path and its "
        "permissions");
}

TEST(Config, ReadsSizesDurationsVolumesAndObjects) {
    auto loaded = load_text(
        R"(
spawn: {start_timeout: 2m, environment: {A: 1, B: "x"}}
docker:
  volumes: ["home-{username}:/home/jovyan", {source: /data, target: /data, read_only: true}, "/x:/y:ro"]
  create: {Labels: {a: "1", b: 2}, Tty: false, Cmd: [a, 1.5, null]}
profiles:
  - {name: big, memory: 1.5G, cpus: 2.5, groups: [ml]}
groups: {ml: [ann, bob]}
)",
        "f",
        no_environment);
    ASSERT_TRUE(loaded.problems.empty()) << loaded.problems.front().to_string();
    const auto& o = loaded.options;
    EXPECT_EQ(o.spawn.start_timeout, seconds(120));
    EXPECT_EQ(o.spawn.environment.at("A"), "1");
    ASSERT_EQ(o.docker.volumes.size(), 3U);
    EXPECT_EQ(o.docker.volumes[0].source, "home-{username}");
    EXPECT_TRUE(o.docker.volumes[1].read_only);
    EXPECT_TRUE(o.docker.volumes[2].read_only);
    EXPECT_EQ(
        json::serialize(o.docker.create), R"({"Labels":{"a":"1","b":2},"Tty":false,"Cmd":["a",1.5E0,null]})");
    EXPECT_EQ(o.profiles[0].memory, Bytes{1610612736});
    EXPECT_EQ(o.profiles[0].cpus, 2.5);
    EXPECT_EQ(o.groups.at("ml").size(), 2U);
}

TEST(Config, WrongSecretsAreNotRepeatedInTheMessage) {
    const auto message = first_problem("services: [{name: a, api_token: [hunter2hunter2]}]\n");
    EXPECT_NE(message, "");
    EXPECT_EQ(message.find("hunter2"), std::string::npos) << message;
}

TEST(Config, ShowRedactsAndLoadsAgain) {
    auto loaded = load_file(testdata() / "issue_3.yaml", no_environment);
    loaded.options.spawn.environment["API_KEY"] = "hunter2";
    const std::string text = show(loaded.options);
    EXPECT_EQ(text.find("0123456789abcdef"), std::string::npos);
    EXPECT_EQ(text.find("hunter2"), std::string::npos);
    EXPECT_NE(text.find("api_token: \"[secret]\""), std::string::npos);
    auto again = load_text(text, "shown", no_environment);
    EXPECT_TRUE(again.problems.empty()) << again.problems.front().to_string() << text;
    EXPECT_EQ(show(again.options), text);
}

TEST(Config, DefaultsAreAFileThatChangesNothing) {
    auto loaded = load_text(defaults(), "defaults", no_environment);
    ASSERT_TRUE(loaded.problems.empty()) << loaded.problems.front().to_string();
    EXPECT_EQ(show(loaded.options), show(Options{}));
}

TEST(Config, DocumentationNamesEveryKey) {
    const std::string page = documentation();
    for (const char* key :
         {"`bind_url`",
          "`authentication.dummy.password`",
          "`gpu.oversubscription`",
          "`docker.volumes`",
          "## `profiles[]`"}) {
        EXPECT_NE(page.find(key), std::string::npos) << key;
    }
}

TEST(Config, BasePathHasBothSlashes) {
    Options options;
    EXPECT_EQ(options.base_path(), "/");
    options.bind_url = "http://127.0.0.1:8000/jhub";
    EXPECT_EQ(options.base_path(), "/jhub/");
    options.bind_url = "http://127.0.0.1:8000";
    options.public_url = "https://x.example/lab/";
    EXPECT_EQ(options.base_path(), "/lab/");
}

TEST(Config, DefaultsHaveNoProblem) {
    EXPECT_TRUE(load_defaults().problems.empty());
}

}  // namespace
}  // namespace berth::config
