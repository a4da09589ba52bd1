//! Closed classes of words, written down once: what is grammar, what negates, what excludes what. English first, with
//! the negations of its neighbours, because the model that ships was taught in English.

/// Grammar: words that carry no topic of their own.
pub(super) const GRAMMAR: &str = "
a an the is are was were be been being am do does did doing have has had having i me my mine we us our ours you your
yours he him his she her hers it its they them their theirs this that these those of to in on at by for from with about
as into through during and or but if then than so such just very can could will would shall should may might must there
here what which who whom whose when where why how any some all each every both few other own same too also s t d ll ve re
m get got getting tell someone one ones thing things way ways like really much many lot lots kind sort anyone somebody
anybody something anything myself yourself himself herself itself ourselves themselves";

/// Words that turn a statement round. Apostrophes are dropped before looking up.
pub(super) const NEGATIONS: &str = "
not no never none neither nor cannot cant dont doesnt didnt isnt arent wasnt werent wont wouldnt shouldnt couldnt hasnt
havent hadnt aint mustnt neednt without nobody nothing nowhere unable except excluding unless lack lacking lacks barely
hardly nicht kein keine keinen nie niemals ohne jamais sans ne nunca sin nao sem mai senza";

/// Said out of politeness at the head or the end of a question; whole phrases, longest first in each family.
pub(super) const POLITE: &[&str] = &[
    "could you please tell me",
    "can you please tell me",
    "would you please tell me",
    "could you tell me",
    "can you tell me",
    "would you tell me",
    "can anyone tell me",
    "could anyone tell me",
    "can someone tell me",
    "could someone tell me",
    "can anybody tell me",
    "please tell me",
    "i would like to know",
    "i'd like to know",
    "i want to know",
    "i need to know",
    "i was wondering",
    "i am wondering",
    "i'm wondering",
    "do you know",
    "does anyone know",
    "does anybody know",
    "quick question",
    "just curious",
    "tell me",
    "can you please",
    "could you please",
    "would you please",
    "hello there",
    "hey there",
    "hi there",
    "good morning",
    "good evening",
    "good afternoon",
    "thank you very much",
    "thank you so much",
    "thanks a lot",
    "thanks in advance",
    "thank you",
    "thanks",
    "please",
    "pls",
    "plz",
    "kindly",
    "hello",
    "hey",
    "hi",
];

/// Words that say how the word after them takes part.
pub(super) const PREPOSITIONS: &str = "from to in on at by for with without before after into over under above below inside outside \
off against until since than of about as between through during toward towards like via per out";

/// The persons that pronouns stand for: the words for the one who acts or is acted on, those for the one who owns.
pub(super) const PERSONS: &[(&str, &str)] = &[
    ("i me myself im ive id", "my mine"),
    ("you yourself yourselves youre youve", "your yours"),
    ("he him himself hes", "his"),
    ("she herself shes", "her hers"),
    ("they them themselves theyre", "their theirs"),
    ("we us ourselves weve", "our ours"),
];

/// Words that begin a question which is answered by yes or no.
pub(super) const AUXILIARIES: &str = "is are am was were do does did can could will would should shall has have had may might must \
isnt arent wasnt dont doesnt didnt cant couldnt wont wouldnt shouldnt hasnt havent";

/// Members of a kind exclude each other; the words of a member mean the same. `_` joins two words.
pub(super) const KINDS: &[(&str, &str)] = &[
    (
        "weekday",
        "monday, tuesday, wednesday, thursday, friday, saturday, sunday",
    ),
    (
        "month",
        "january jan, february feb, march, april, june, july, august, september sept, october, november, december",
    ),
    ("season", "spring, summer, autumn, winter"),
    (
        "hour of the day",
        "morning, afternoon, evening, night, noon, midnight",
    ),
    (
        "rhythm",
        "hourly, daily, weekly, monthly, quarterly, yearly annually annual",
    ),
    (
        "colour",
        "red, blue, green, yellow, black, white, orange, purple violet, pink, brown, grey gray",
    ),
    (
        "direction",
        "north northern, south southern, east eastern, west western",
    ),
    (
        "programming language",
        "python, java, javascript js, typescript, rust, golang, ruby, php, swift, kotlin, scala, \
      haskell, perl, cobol, fortran, matlab, julia, c, c++ cpp, c# csharp, objective, erlang, elixir, clojure, lua, bash",
    ),
    (
        "system",
        "windows, mac macos osx, linux, ubuntu, debian, fedora, android, ios, unix, freebsd",
    ),
    ("browser", "chrome, firefox, safari, edge, opera"),
    (
        "database",
        "mysql, postgres postgresql, sqlite, mongodb mongo, oracle, redis, cassandra, mariadb, dynamodb",
    ),
    (
        "library",
        "react reactjs, angular angularjs, vue vuejs, svelte, django, flask, rails, laravel, spring_boot, numpy, \
      pandas, tensorflow, pytorch, keras, jquery, bootstrap",
    ),
    ("cloud", "aws, azure, gcp, heroku, digitalocean"),
    (
        "format",
        "pdf, docx, jpg jpeg, png, gif, svg, mp3, mp4, csv, json, xml, html, yaml, toml, xlsx, wav, zip",
    ),
    (
        "protocol",
        "http, https, tcp, udp, ftp, sftp, ssh, smtp, imap, mqtt, grpc, graphql",
    ),
    (
        "brand",
        "google, facebook fb, amazon, apple, microsoft, twitter, instagram, whatsapp, snapchat, youtube, linkedin, \
      quora, netflix, uber, tesla, samsung, nokia, sony, intel, amd, nvidia, reddit, tinder, paypal, ebay, flipkart, \
      spotify, gmail, yahoo, outlook, hotmail, skype, telegram, tiktok, pinterest, tumblr, nike, adidas, toyota, honda, \
      bmw, audi, ford, starbucks, walmart, oppo, xiaomi, huawei, lenovo, dell, hp, asus, acer",
    ),
    (
        "relative",
        "mother mom mum mommy mama, father dad daddy papa, brother, sister, son, daughter, husband, wife, \
      girlfriend gf, boyfriend bf, uncle, aunt, grandmother grandma, grandfather grandpa, cousin, niece, nephew",
    ),
    ("meal", "breakfast, lunch, dinner supper"),
    (
        "animal",
        "dog, cat, horse, cow, pig, chicken, sheep, goat, duck, rabbit, mouse, rat, snake, lion, tiger, bear, wolf, \
      fox, elephant, monkey, fish, bird, shark, whale, spider, ant, bee, butterfly, frog, turtle, parrot, hamster",
    ),
    (
        "religion",
        "christian christianity, muslim islam islamic, hindu hinduism, jew jewish judaism, buddhist buddhism, \
      sikh sikhism, atheist atheism, catholic catholicism, protestant",
    ),
    (
        "subject",
        "physics, chemistry, biology, mathematics math maths, history, geography, economics, psychology, \
      sociology, philosophy, astronomy, geology, statistics, algebra, geometry, calculus, trigonometry, botany, zoology",
    ),
    (
        "branch",
        "mechanical, electrical, civil, chemical, aerospace, biomedical",
    ),
    (
        "planet",
        "mercury, venus, earth, mars, jupiter, saturn, uranus, neptune, pluto, moon, sun",
    ),
    (
        "element",
        "hydrogen, helium, oxygen, nitrogen, carbon, sodium, potassium, calcium, magnesium, iron, copper, zinc, \
      gold, silver, lead, aluminium aluminum, chlorine, fluorine, sulfur sulphur, phosphorus, silicon, uranium, titanium",
    ),
    (
        "test",
        "gre, gmat, toefl, ielts, sat, jee, neet, upsc, lsat, mcat",
    ),
    (
        "degree",
        "bachelor bachelors, phd doctorate, mba, mtech, btech, diploma",
    ),
    (
        "part of the body",
        "hair, face, nose, eye, ear, mouth, tooth teeth, neck, stomach, leg, arm, hand, knee, shoulder, \
      skin, finger, toe, brain, heart, liver, kidney, lung",
    ),
    (
        "sport",
        "football soccer, cricket, tennis, basketball, baseball, hockey, golf, chess, rugby, volleyball, badminton, \
      boxing, swimming",
    ),
    (
        "instrument",
        "guitar, piano, violin, drums, flute, cello, trumpet, saxophone, ukulele",
    ),
    (
        "drink",
        "coffee, tea, milk, water, beer, wine, juice, vodka, whiskey whisky, soda",
    ),
    (
        "food",
        "rice, bread, pasta, potato, tomato, onion, cheese, egg, beef, pork, banana, mango, grape, lemon",
    ),
    ("size", "small, medium, large big, tiny, huge"),
    (
        "position",
        "president, minister, king, queen, prince, princess, emperor, mayor, governor, senator",
    ),
    ("voice", "male, female"),
    (
        "place",
        "india indian, pakistan pakistani, china chinese, japan japanese, korea korean, usa america american \
      united_states u.s us., england english, uk britain british united_kingdom, scotland scottish, ireland irish, \
      france french, germany german, spain spanish, italy italian, portugal portuguese, russia russian, ukraine \
      ukrainian, poland polish, sweden swedish, norway norwegian, denmark danish, finland finnish, netherlands dutch \
      holland, belgium belgian, switzerland swiss, austria austrian, greece greek, turkey turkish, egypt egyptian, \
      israel israeli, iran iranian, iraq iraqi, syria syrian, afghanistan afghan, saudi, canada canadian, mexico mexican, \
      brazil brazilian, argentina argentinian, chile chilean, peru peruvian, colombia colombian, cuba cuban, venezuela \
      venezuelan, australia australian, zealand, indonesia indonesian, malaysia malaysian, singapore, thailand thai, \
      vietnam vietnamese, philippines filipino, nepal nepali, bangladesh bangladeshi, lanka, nigeria nigerian, kenya \
      kenyan, ethiopia ethiopian, ghana, morocco moroccan, algeria, tunisia, taiwan taiwanese, mongolia mongolian, tibet \
      tibetan, hungary hungarian, romania romanian, bulgaria bulgarian, serbia serbian, croatia croatian, czech, \
      iceland icelandic, europe european, asia asian, africa african, hindi, urdu, tamil, telugu, bengali, punjabi, \
      gujarati, marathi, kannada, malayalam, sanskrit, arabic, hebrew, latin, mandarin, cantonese, esperanto, \
      london, paris, berlin, madrid, rome, moscow, tokyo, beijing, shanghai, delhi, mumbai bombay, bangalore bengaluru, \
      hyderabad, chennai madras, kolkata calcutta, pune, york nyc, chicago, boston, seattle, toronto, vancouver, \
      montreal, sydney, melbourne, dubai, amsterdam, vienna, prague, munich, hamburg, barcelona, lisbon, dublin, \
      athens, istanbul, cairo, seoul, bangkok, texas, california, florida, ohio, nevada, arizona, oregon, virginia, \
      kerala, gujarat, punjab, bihar, kashmir",
    ),
];

/// Units, each line one unit: its name, then the words for it. `~`: only after a number.
pub(super) const UNITS: &[(&str, &str)] = &[
    ("kilometre", "km kms kilometer kilometers kilometre kilometres"),
    ("metre", "meter meters metre metres ~m"),
    (
        "centimetre",
        "cm cms centimeter centimeters centimetre centimetres",
    ),
    ("millimetre", "mm millimeter millimeters millimetre millimetres"),
    ("mile", "mile miles ~mi"),
    ("yard", "yard yards ~yd ~yds"),
    ("foot", "feet ft ~foot"),
    ("inch", "inch inches"),
    ("kilogram", "kg kgs kilo kilos kilogram kilograms"),
    ("gram", "gram grams ~g ~gm ~gms"),
    ("milligram", "mg milligram milligrams"),
    ("pound", "lb lbs pounds ~pound"),
    ("ounce", "oz ounce ounces"),
    ("ton", "ton tons tonne tonnes"),
    ("stone", "~stone ~stones"),
    ("litre", "liter liters litre litres ~l"),
    ("millilitre", "ml milliliter milliliters millilitre millilitres"),
    ("gallon", "gallon gallons"),
    ("pint", "pint pints"),
    ("cup", "~cup ~cups"),
    ("tablespoon", "tbsp tablespoon tablespoons"),
    ("teaspoon", "tsp teaspoon teaspoons"),
    ("celsius", "celsius centigrade ~c"),
    ("fahrenheit", "fahrenheit ~f"),
    ("kelvin", "kelvin"),
    ("dollar", "usd dollar dollars bucks"),
    ("euro", "eur euro euros"),
    ("sterling", "gbp quid"),
    ("rupee", "inr rupee rupees rs"),
    ("yen", "jpy yen"),
    ("yuan", "cny yuan rmb"),
    ("franc", "chf franc francs"),
    ("cent", "cents ~cent"),
    ("bitcoin", "btc bitcoin bitcoins"),
    ("ether", "eth ethereum"),
    ("gigabyte", "gb gigabyte gigabytes gib"),
    ("megabyte", "mb megabyte megabytes mib"),
    ("kilobyte", "kb kilobyte kilobytes kib"),
    ("terabyte", "tb terabyte terabytes tib"),
    ("bit", "~bit ~bits"),
    ("byte", "byte bytes"),
    ("second", "seconds sec secs ~second ~s"),
    ("millisecond", "ms millisecond milliseconds"),
    ("minute", "minutes min mins minute"),
    ("hour", "hour hours hr hrs ~h"),
    ("day", "day days"),
    ("week", "week weeks"),
    ("month", "month months"),
    ("year", "year years yr yrs"),
    ("decade", "decade decades"),
    ("century", "century centuries"),
    ("percent", "percent percentage percents"),
    ("kilometres per hour", "kmph kph"),
    ("miles per hour", "mph"),
    ("horsepower", "horsepower ~hp"),
    ("kilowatt", "kw kilowatt kilowatts"),
    ("watt", "watt watts ~w"),
    ("volt", "volt volts ~v"),
    ("ampere", "amp amps ampere amperes ~a"),
    ("ohm", "ohm ohms"),
    ("hertz", "hz hertz"),
    ("megahertz", "mhz megahertz"),
    ("gigahertz", "ghz gigahertz"),
    ("calorie", "calorie calories kcal"),
    ("joule", "joule joules"),
    ("degree", "~degree ~degrees"),
    ("acre", "acre acres"),
    ("hectare", "hectare hectares"),
    ("before noon", "~am"),
    ("after noon", "~pm"),
    ("bits per second", "kbps mbps gbps"),
    ("bytes per second", "kbyteps mbyteps gbyteps"),
    ("kilowatt hour", "kwh"),
    ("microgram", "mcg \u{b5}g \u{3bc}g microgram micrograms"),
];

/// Number words and their values, `digit`, `ten` (20, 30, …) and `scale` in the order of how they combine.
pub(super) const DIGITS: &str = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen \
fifteen sixteen seventeen eighteen nineteen";
/// 20, 30, … 90.
pub(super) const TENS: &str = "twenty thirty forty fifty sixty seventy eighty ninety";
/// What multiplies all before it.
pub(super) const SCALES: &[(&str, u64)] = &[
    ("dozen", 12),
    ("hundred", 100),
    ("thousand", 1_000),
    ("lakh", 100_000),
    ("lac", 100_000),
    ("lakhs", 100_000),
    ("million", 1_000_000),
    ("millions", 1_000_000),
    ("crore", 10_000_000),
    ("crores", 10_000_000),
    ("billion", 1_000_000_000),
    ("billions", 1_000_000_000),
    ("trillion", 1_000_000_000_000),
    ("trillions", 1_000_000_000_000),
];
/// 1st … 19th in words.
pub(super) const ORDINALS: &str = "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth \
thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth";
/// 20th, 30th, … 90th in words.
pub(super) const ORDINAL_TENS: &str =
    "twentieth thirtieth fortieth fiftieth sixtieth seventieth eightieth ninetieth";

/// Words of time, each line one meaning.
pub(super) const TIMES: &[&str] = &[
    "now currently presently nowadays",
    "today",
    "tonight",
    "yesterday",
    "tomorrow",
    "ever",
    "always forever",
    "recently lately recent",
    "latest newest",
    "soon",
    "already",
    "still",
    "yet",
    "again",
    "anymore",
    "ago",
    "usually generally normally typically",
    "sometimes occasionally",
    "often frequently",
    "rarely seldom",
    "last previous",
    "next upcoming",
    "current present",
];

/// Lines of [`TIMES`], as bits, that exclude the other groups: present, past, future, and how often.
pub(super) const TIME_GROUPS: [u32; 8] = [
    1 | 1 << 1 | 1 << 2 | 1 << 22,
    1 << 3 | 1 << 15 | 1 << 20,
    1 << 4 | 1 << 9 | 1 << 21,
    1 << 6,
    1 << 16,
    1 << 17,
    1 << 18,
    1 << 19,
];

/// Auxiliaries: each line one shade of asking (may one, ought one, will it, is it so).
pub(super) const MODALS: &[&str] = &[
    "can could able",
    "should ought shall",
    "will would gonna",
    "may might",
    "must need",
];

/// How much of it: each line one shade.
pub(super) const QUANTIFIERS: &[&str] = &[
    "all every each",
    "only just solely",
    "both",
    "most",
    "least fewest",
    "more",
    "less fewer",
    "few",
    "many lots",
    "any",
    "same",
    "other another else",
    "than",
    "too",
];

/// Forms whose dictionary word no rule finds: `form:word`.
pub(super) const IRREGULAR: &str = "
men:man women:woman children:child kids:kid people:person persons:person feet:foot teeth:tooth mice:mouse geese:goose
lives:life wives:wife knives:knife leaves:leaf selves:self went:go gone:go goes:go going:go bought:buy brought:bring
thought:think caught:catch taught:teach made:make making:make took:take taken:take taking:take gave:give given:give
giving:give came:come coming:come became:become becoming:become knew:know known:know grew:grow grown:grow threw:throw
thrown:throw flew:fly flown:fly wrote:write written:write writing:write spoke:speak spoken:speak broke:break broken:break
chose:choose chosen:choose stole:steal stolen:steal ate:eat eaten:eat drank:drink drunk:drink began:begin begun:begin
ran:run running:run won:win lost:lose losing:lose found:find told:tell said:say saw:see seen:see sold:sell sent:send
spent:spend kept:keep slept:sleep felt:feel met:meet paid:pay built:build left:leave leaving:leave held:hold led:lead
understood:understand stood:stand forgot:forget forgotten:forget died:die dying:die dies:die lying:lie lied:lie
using:use used:use uses:use getting:get got:get gotten:get having:have bigger:big biggest:big ios:ios wanna:want
gonna:go colour:color favourite:favorite behaviour:behavior centre:center theatre:theater programme:program
organisation:organization organise:organize realise:realize analyse:analyze licence:license defence:defense grey:gray";

/// Grammatical tense that a question is asked in: each line one.
pub(super) const TENSES: &[&str] = &[
    "is are am do does has have be",
    "was were did had been",
    "will gonna shall",
];

/// Question words with what they ask for; two-word ones first. Same second word: same sort of question.
pub(super) const ASKING: &[(&str, &str)] = &[
    ("how many", "how many"),
    ("how much", "how many"),
    ("how long", "how long"),
    ("how old", "how old"),
    ("how far", "how far"),
    ("how often", "how often"),
    ("how tall", "how tall"),
    ("how big", "how big"),
    ("how fast", "how fast"),
    ("how come", "why"),
    ("what time", "when"),
    ("what year", "when"),
    ("why", "why"),
    ("when", "when"),
    ("where", "where"),
    ("who", "who"),
    ("whom", "who"),
    ("whose", "whose"),
    ("how", "how"),
    ("what", "what"),
    ("which", "which"),
];
