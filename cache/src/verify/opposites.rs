//! Words that exclude each other: opposites, words that are easily confused, beginnings and ends that turn a word round,
//! words that mean another thing with a capital, prepositions of contrary directions.

/// Opposites that `WordNet`'s table lacks or that matter for instructions.
pub(super) const OPPOSITES: &str = "
enable:disable on:off up:down in:out before:after with:without increase:decrease more:less most:least best:worst
better:worse first:last max:min maximum:minimum start:stop start:end begin:end open:close add:remove add:subtract
add:delete create:delete create:destroy insert:delete buy:sell men:women male:female boy:girl man:woman husband:wife
gain:lose upload:download install:uninstall encrypt:decrypt encode:decode compress:decompress serialize:deserialize
subscribe:unsubscribe mount:unmount north:south east:west left:right true:false lock:unlock pros:cons pro:con
advantage:disadvantage import:export input:output ascending:descending legal:illegal possible:impossible like:dislike
agree:disagree send:receive read:write push:pull allow:deny allow:block allow:forbid accept:reject accept:decline
show:hide follow:unfollow block:unblock hot:cold cheap:expensive old:new old:young high:low win:lose bad:good love:hate
parent:kid parent:child mom:dad mother:father brother:sister boyfriend:girlfriend son:daughter uncle:aunt he:she him:her
his:her grow:shrink raise:lower above:below over:under employer:employee lender:borrower buyer:seller landlord:tenant
teacher:student doctor:patient client:server sender:receiver host:guest predator:prey cause:effect question:answer
past:future early:late earlier:later fast:slow faster:slower always:never public:private internal:external inside:outside
positive:negative plus:minus multiply:divide arrive:depart arrival:departure enter:exit enter:leave entrance:exit
import:export borrow:lend earn:spend save:spend save:waste gain:loss profit:loss weight_gain:weight_loss hire:fire
attack:defend victory:defeat strong:weak rich:poor hard:easy hard:soft wet:dry wide:narrow deep:shallow thick:thin
heavy:light dark:light day:night sunrise:sunset major:minor senior:junior even:odd single:married single:double
vertical:horizontal row:column upper:lower uppercase:lowercase front:back top:bottom source:destination
synchronous:asynchronous sync:async static:dynamic mutable:immutable local:remote local:global online:offline
include:exclude connect:disconnect attach:detach activate:deactivate freeze:thaw freeze:melt melt:solidify boil:freeze
expand:contract inhale:exhale born:die birth:death alive:dead live:die life:death war:peace friend:enemy truth:lie
safe:dangerous healthy:unhealthy happy:sad success:failure succeed:fail pass:fail remember:forget find:lose
ancient:modern domestic:foreign import:domestic vegetarian:carnivore introvert:extrovert optimist:pessimist
bull:bear bullish:bearish credit:debit asset:liability deposit:withdraw withdrawal:deposit lease:buy rent:buy
commit:revert merge:split join:leave login:logout encrypted:unencrypted mute:unmute archive:unarchive pause:resume
tighten:loosen grant:revoke grant:deny promote:demote mount:eject widen:narrow hero:villain heroes:villains contract:relax
straight:curly strength:weakness strengths:weaknesses slowly:quickly slow:quick allow:refuse accept:refuse
verbal:written express:implied civil:criminal viral:bacterial acute:chronic benign:malignant vein:artery
systolic:diastolic inhaled:injected intramuscular:intravenous plaintiff:defendant prosecution:defence
prosecution:defense libel:slander felony:misdemeanor felony:misdemeanour anterior:posterior murder:manslaughter trademark:patent
patent:copyright testate:intestate inductive:deductive qualitative:quantitative convex:concave numerator:denominator
longitude:latitude mitosis:meiosis stalactite:stalagmite prefix:suffix astronomy:astrology endothermic:exothermic
immigration:emigration double:triple double:halve half:quarter quarter:third twin:triplet
only:also all:some all:none every:some many:few most:few most:half both:either everyone:someone everybody:somebody
everything:something always:sometimes exactly:least one:several any:every every:one all:most collapse:expand must:may must:might allowed:required
allowed:obliged permitted:required optional:required optional:mandatory voluntary:compulsory prior:following before:following
prior:after nearly:hardly head:tail formal:informal exempt:liable";

/// Words that are easily taken for each other, and are no misspellings: one letter, another meaning.
pub(super) const CONFUSED: &str = "
affect:effect principal:principle stationary:stationery complement:compliment desert:dessert councillor:counsellor
councilor:counselor ingenious:ingenuous meteorology:metrology asteroid:steroid prednisone:prednisolone
hydroxyzine:hydralazine accept:except advice:advise adverse:averse allusion:illusion altar:alter bail:bale canvas:canvass
censor:sensor cite:site coarse:course complacent:complaisant continual:continuous council:counsel currant:current
dairy:diary defuse:diffuse discreet:discrete elicit:illicit emigrant:immigrant eminent:imminent ensure:insure flair:flare
formally:formerly hoard:horde human:humane later:latter marital:martial moral:morale personal:personnel
perspective:prospective precede:proceed prescribe:proscribe quiet:quite respectfully:respectively statue:statute
venal:venial wander:wonder weather:whether angel:angle bridal:bridle broach:brooch casual:causal cereal:serial
malloc:calloc carbonate:bicarbonate ethane:ethene methane:methanol ethanol:methanol nitrate:nitrite sulfate:sulfite
sulphate:sulphite chloride:chlorate mucus:mucous ileum:ilium peroneal:perineal";

/// Beginnings that make opposites of the same end: `hyperthermia` and `hypothermia`.
pub(super) const CONTRASTS: &[(&str, &str)] = &[
    ("hyper", "hypo"),
    ("inter", "intra"),
    ("macro", "micro"),
    ("endo", "exo"),
    ("intro", "extro"),
    ("intro", "extra"),
    ("pre", "post"),
    ("over", "under"),
    ("up", "down"),
    ("super", "sub"),
    ("in", "ex"),
    ("im", "ex"),
    ("im", "em"),
    ("ante", "post"),
    ("homo", "hetero"),
    ("mono", "poly"),
    ("mono", "bi"),
    ("uni", "bi"),
    ("bi", "tri"),
    ("mono", "tri"),
    ("multi", "single"),
    ("tachy", "brady"),
    ("pro", "anti"),
    ("pro", "con"),
    ("pro", "de"),
    ("in", "de"),
    ("in", "out"),
    ("on", "off"),
    ("max", "min"),
    ("en", "de"),
    ("ac", "de"),
    ("as", "des"),
    ("ab", "ad"),
    ("iso", "aniso"),
];

/// The ends of who does, and of whom it is done to: `employer` and `employee`.
pub(super) const DOERS: [&str; 2] = ["er", "or"];
/// See [`DOERS`].
pub(super) const DONE_TO: &str = "ee";

/// Words that turn round what comes after them, like a negation: `fail to pay`, `non-exempt`.
pub(super) const REVERSING: &str =
    "fail fails failed failing avoid avoids avoided avoiding refuse refuses refused refusing non";

/// Words that mean another thing with a capital.
pub(super) const CASED: &str =
    "polish turkey march may august mark shell target gap jordan chad nice reading lent job guinea slack";

/// Words that mean another thing in capitals: abbreviations.
pub(super) const ABBREVIATED: &str = "who it us aids";

/// Prepositions that cannot stand for each other before the same word: `from Paris` is not `to Paris`.
pub(super) const DIRECTIONS: &str = "from:to to:from before:after after:before with:without without:with into:from from:into \
over:under under:over above:below below:above inside:outside outside:inside on:off off:on against:for for:against \
until:since since:until until:after toward:from from:toward \
during:after after:during during:before before:during from:until until:from out:into into:out";

/// Whether the two are made from the same by contrary parts: `hypertension` and `hypotension`, `lessor` and `lessee`,
/// `impossible` and `possible`.
pub(super) fn contrary_parts(a: &str, b: &str) -> bool {
    let end = |word: &str| word.as_bytes().last_chunk::<SHORTEST_END>().copied();
    let end_alike = end(a).is_some() && end(a) == end(b);
    [(a, b), (b, a)].into_iter().any(|(a, b)| {
        let begins = |(one, other): &(&str, &str)| {
            let end = a.strip_prefix(one).filter(|end| end.len() >= SHORTEST_END);
            end.is_some() && end == b.strip_prefix(other)
        };
        end_alike && CONTRASTS.iter().any(begins) || is_done_to(a, b) || negates(a, b)
    })
}

/// What is left of both without the contrary parts has at least so many letters.
const SHORTEST_END: usize = 4;

/// `employer` and `employee`, also of several.
fn is_done_to(doer: &str, done_to: &str) -> bool {
    let (doer, done_to) = match (doer.strip_suffix('s'), done_to.strip_suffix('s')) {
        (Some(doer), Some(done_to)) => (doer, done_to),
        _ => (doer, done_to),
    };
    let stem = DOERS.iter().find_map(|end| doer.strip_suffix(end));
    stem.is_some_and(|stem| stem.len() >= 3 && done_to.strip_suffix(DONE_TO) == Some(stem))
}

/// `impossible` and `possible`, `nonlinear` and `linear`, `careless` and `careful`.
fn negates(word: &str, of: &str) -> bool {
    const PREFIXES: [&str; 10] = ["un", "in", "im", "il", "ir", "dis", "non", "de", "anti", "mis"];
    if word.len() > of.len() && word.ends_with(of) {
        return of.len() >= 4
            && PREFIXES
                .iter()
                .any(|prefix| word.strip_prefix(prefix) == Some(of));
    }
    word.strip_suffix("less")
        .is_some_and(|stem| of.strip_suffix("ful") == Some(stem))
}

#[cfg(test)]
mod tests {
    use super::{contrary_parts, negates};

    #[test]
    fn prefixes_turn_a_word_round() {
        assert!(
            negates("impossible", "possible")
                && negates("careless", "careful")
                && negates("unhappy", "happy")
        );
        assert!(!negates("under", "der") && !negates("possible", "impossible"));
    }

    #[test]
    fn contrary_beginnings_and_ends_make_opposites() {
        for (a, b) in [
            ("hyperthermia", "hypothermia"),
            ("interstate", "intrastate"),
            ("lessor", "lessee"),
            ("employers", "employees"),
            ("accelerate", "decelerate"),
        ] {
            assert!(contrary_parts(a, b) && contrary_parts(b, a), "{a} {b}");
        }
        for (a, b) in [
            ("hyper", "hypo"),
            ("", ""),
            ("committer", "committed"),
            ("prefix", "suffix"),
        ] {
            assert!(!contrary_parts(a, b) && !contrary_parts(b, a), "{a} {b}");
        }
    }
}
